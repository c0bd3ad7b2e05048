-- SPDX-License-Identifier: Apache-2.0
-- about: Where implied volatility of 30 days stands in its past year, in our definition and as the vendor says it. Rank: place
--   in the range of the past 252 sessions, today among them. Percentile: share of the 252 sessions before today below it.
-- kind: view
-- grain: underlying
with
history as (
    select
        h.underlying,
        h.date,
        h.iv30,
        c.session_no
    from main.iv_history as h
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = h.date
    where h.iv30 is not null
),
newest as (
    select
        h.underlying,
        max(h.date) as date,
        max(h.session_no) as session_no,
        arg_max(h.iv30, h.date) as iv30
    from history as h
    group by h.underlying
),
past as (
    select
        n.underlying,
        any_value(n.date) as date,
        any_value(n.iv30) as iv30,
        min(h.iv30) filter (where h.session_no > n.session_no - 252) as low,
        max(h.iv30) filter (where h.session_no > n.session_no - 252) as high,
        count(*) filter (where h.session_no > n.session_no - 252) as sessions,
        count(*) filter (where h.session_no < n.session_no) as sessions_before,
        count(*) filter (where h.session_no < n.session_no and h.iv30 < n.iv30) as sessions_below
    from newest as n
    join history as h
        on h.underlying = n.underlying and h.session_no >= n.session_no - 252
    group by n.underlying
)
select
    p.underlying::varchar as underlying,
    p.date::date as date, -- session of the newest snapshot that has 30 days, New York
    p.iv30::double as iv30,
    p.low::double as iv30_low, -- annualised fraction, of 252 sessions, today among them
    p.high::double as iv30_high, -- annualised fraction, of 252 sessions, today among them
    ((p.iv30 - p.low) / nullif(p.high - p.low, 0))::double as iv_rank, -- fraction of the range; null: the range is a point
    (p.sessions_below / nullif(p.sessions_before, 0))::double as iv_percentile, -- fraction of sessions strictly below; null: no session before
    p.sessions::integer as n_sessions, -- with iv30, of the last 252
    m.implied_volatility_index::double as vendor_iv_index, -- fraction a year, as the vendor says it; null: not held
    m.implied_volatility_index_rank::double as vendor_iv_rank, -- fraction, as the vendor says it; null: not held
    m.tos_implied_volatility_index_rank::double as vendor_tos_iv_rank, -- fraction, as the vendor says it; null: not held
    m.tw_implied_volatility_index_rank::double as vendor_tw_iv_rank, -- fraction, as the vendor says it; null: not held
    m.implied_volatility_percentile::double as vendor_iv_percentile -- fraction, as the vendor says it; null: not held
from past as p
left join main.market_metrics as m
    on m.symbol = p.underlying
