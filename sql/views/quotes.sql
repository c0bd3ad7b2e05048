-- SPDX-License-Identifier: Apache-2.0
-- about: The newest best bid and ask of each symbol, as recorded of a stream; tick_quotes has their history.
-- kind: view
-- grain: symbol
select
    q.symbol::varchar as symbol,
    q.event_time::timestamp as event_time,
    q.received_at::timestamp as received_at,
    q.bid::double as bid,
    q.ask::double as ask,
    ((q.bid + q.ask) / 2)::double as mid, -- per share or contract; null: one side is missing
    q.bid_size::double as bid_size,
    q.ask_size::double as ask_size,
    q.market_center::varchar as market_center,
    q.sequence::bigint as sequence,
    q.source::varchar as source,
    q.known_at::timestamp as known_at
from tick_quotes as q
inner join (
    select
        n.symbol,
        max(n.sequence) as sequence
    from tick_quotes as n
    group by n.symbol
) as newest
    on newest.symbol = q.symbol and newest.sequence = q.sequence
