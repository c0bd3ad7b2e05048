-- SPDX-License-Identifier: Apache-2.0
-- about: The last trade of each symbol as recorded of a stream: a conflated last value; ticks has every print.
-- kind: view
-- grain: symbol
select
    t.symbol::varchar as symbol,
    t.event_time::timestamp as event_time,
    t.received_at::timestamp as received_at,
    t.price::double as price,
    t.size::double as size,
    t.change::double as change,
    t.day_volume::double as day_volume,
    t.day_turnover::double as day_turnover,
    t.exchange::varchar as market_center,
    t.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    'dxlink'::varchar as source, -- who streamed it
    t.known_at::timestamp as known_at
from raw.dxlink_trades as t
inner join (
    select
        n.symbol,
        max(n.arrival) as arrival
    from raw.dxlink_trades as n
    where n.is_current
    group by n.symbol
) as newest
    on newest.symbol = t.symbol and newest.arrival = t.arrival
where t.is_current
