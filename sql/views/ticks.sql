-- SPDX-License-Identifier: Apache-2.0
-- about: Every print that was recorded of a stream, in the order of arrival. A correction or a cancellation is a row of its
--   own, which counts for no price and no volume.
-- kind: view
-- grain: symbol, sequence
select
    t.symbol::varchar as symbol, -- as it was asked for: an underlying, or an option's 21 characters
    t.event_time::timestamp as event_time, -- UTC, the vendor's clock; null: not said
    t.tick_id::bigint as tick_id, -- dxFeed's index of the print
    t.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    t.received_at::timestamp as received_at, -- UTC, when it arrived here
    t.price::double as price, -- price per share or contract; null: none
    t.size::double as size, -- shares or contracts; null: unknown
    t.bid::double as bid, -- best bid at the print; null: unknown
    t.ask::double as ask, -- best ask at the print; null: unknown
    null::bigint as total_volume, -- null: dxFeed does not say it of a print
    t.exchange::varchar as market_center, -- dxFeed's letter; null: not said
    t.conditions::varchar as conditions, -- of the sale, by the exchange; null: none
    t.aggressor::varchar as aggressor, -- BUY, SELL or UNDEFINED
    case
        when coalesce(t.event_time, t.received_at) < c.open_utc then 'pre'
        when coalesce(t.event_time, t.received_at) < c.close_utc then 'regular'
        when c.date is not null then 'post'
    end::varchar as session, -- pre, regular or post of the exchange's session; null: on a day without one
    case
        when t.aggressor = 'BUY' then 1
        when t.aggressor = 'SELL' then -1
        when t.price > (t.bid + t.ask) / 2 then 1
        when t.price < (t.bid + t.ask) / 2 then -1
        else 0
    end::integer as sign, -- 1 bought, -1 sold, by the aggressor said or against the mid; 0 undecided
    (coalesce(t.type, 'NEW') = 'NEW' and coalesce(t.is_valid, true))::boolean as updates_last, -- whether it sets the last price
    (coalesce(t.type, 'NEW') = 'NEW' and coalesce(t.is_valid, true))::boolean as updates_high_low, -- whether it counts for high and low
    (coalesce(t.type, 'NEW') = 'NEW')::boolean as updates_volume, -- whether it counts for volume
    t.type::varchar as type, -- NEW, CORRECTION or CANCEL
    'dxlink'::varchar as source, -- who streamed it
    t.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
from raw.dxlink_time_and_sales as t
left join calendar as c
    on c.market = 'XNYS'
        and c.is_trading_day
        and c.date = (coalesce(t.event_time, t.received_at) - interval 5 hours)::date
where t.is_current
