-- SPDX-License-Identifier: Apache-2.0
-- about: Bars by kind and parameter. Of kind time: minutes as dxFeed streamed them, the one that is open included.
-- kind: view
-- grain: kind, parameter, symbol, start
select
    'time'::varchar as kind, -- what closes a bar: time
    60::double as parameter, -- of kind time seconds in a bar
    m.symbol::varchar as symbol, -- as it was asked for: an underlying, or an option's 21 characters
    c.date::date as session_date, -- of the exchange's session; null: on a day without one
    (date_diff('minute', c.open_utc, m.event_time) + 1)::bigint as bar_no, -- 1: the first minute of the regular session, below before it; null: no session
    m.event_time::timestamp as start, -- UTC, beginning, inclusive
    (m.event_time + interval 1 minute)::timestamp as end_time, -- UTC, end, exclusive
    m.open::double as open, -- price per share; null: none
    m.high::double as high, -- price per share; null: none
    m.low::double as low, -- price per share; null: none
    m.close::double as close, -- price per share; null: none
    m.volume::double as volume, -- shares or contracts; null: unknown
    (m.volume * m.vwap)::double as dollar_volume, -- USD; null: unknown
    m.count::bigint as trade_count, -- trades in the bar; null: unknown
    m.vwap::double as vwap, -- volume-weighted price per share; null: unknown
    null::double as buy_volume, -- null: a candle does not say it
    null::double as sell_volume, -- null: a candle does not say it
    (m.event_time + interval 1 minute <= newest.received_at)::boolean as is_complete, -- whether the minute was over when its symbol was heard of last
    m.received_at::timestamp as received_at, -- UTC, when it arrived here
    'dxlink'::varchar as source, -- who streamed it
    m.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
from raw.dxlink_minutes as m
inner join (
    select
        l.symbol,
        l.event_time,
        max(l.arrival) as arrival
    from raw.dxlink_minutes as l
    where l.is_current
    group by
        l.symbol,
        l.event_time
) as last_word
    on last_word.symbol = m.symbol and last_word.arrival = m.arrival
inner join (
    select
        n.symbol,
        max(n.received_at) as received_at
    from raw.dxlink_minutes as n
    where n.is_current
    group by n.symbol
) as newest
    on newest.symbol = m.symbol
left join calendar as c
    on c.market = 'XNYS' and c.is_trading_day and c.date = (m.event_time - interval 5 hours)::date
where m.is_current and m.open is not null
