-- SPDX-License-Identifier: Apache-2.0
-- about: The last trade of each symbol as recorded of a stream: a conflated last value; ticks has every print.
-- kind: view
-- grain: symbol
select
    t.symbol::varchar as symbol, -- as it was asked for: an underlying, or an option's 21 characters
    t.event_time::timestamp as event_time, -- UTC, the vendor's clock; null: not said
    t.received_at::timestamp as received_at, -- UTC, when it arrived here
    t.price::double as price, -- price per share or contract; null: none
    t.size::double as size, -- shares or contracts of the last trade; null: unknown
    t.change::double as change, -- against the close before, price per share; null: unknown
    t.day_volume::double as day_volume, -- shares or contracts so far this session; null: unknown
    t.day_turnover::double as day_turnover, -- USD so far this session; null: unknown
    t.exchange::varchar as market_center, -- dxFeed's letter; null: not said
    t.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    'dxlink'::varchar as source, -- who streamed it
    t.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
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
