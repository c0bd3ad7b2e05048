-- SPDX-License-Identifier: Apache-2.0
-- about: The screen an options person opens first: a row per symbol as of its last bar. Columns from
--   implied volatility are those of the newest snapshot of its chain that is held, null where none
--   of the week before is.
-- kind: view
-- grain: symbol
with
monthlies as (
    select
        coalesce(e.underlying, 'EQUITY') as underlying,
        e.expiration_date
    from derived.expiration_series as e
    where e.kind in ('monthly', 'vix_monthly')
),
reports as (
    select
        v.symbol,
        v.date
    from main.events as v
    where v.type = 'earnings'
),
underlyings as (
    select
        b.symbol,
        b.date,
        b.last,
        b.change,
        coalesce(o.underlying, 'EQUITY') as underlying
    from derived.latest_bars as b
    left join (select distinct m.underlying from monthlies as m) as o
        on o.underlying = b.symbol
)
select
    u.symbol::varchar as symbol, -- upper case
    u.date::date as as_of, -- session date of the newest bar, New York
    u.last::double as last, -- USD, unadjusted close
    u.change::double as change, -- fraction to the session before, on adjusted closes; null: the only bar
    h20.close_to_close::double as hv20, -- annualised fraction, realised over 20 sessions; null: too few bars
    h30.close_to_close::double as hv30, -- annualised fraction, realised over 30 sessions; null: too few bars
    i.iv30::double as iv30, -- annualised fraction, implied, 30 days; null: no chain
    i.iv_rank::double as iv_rank, -- fraction of the 52-week range; null: no chain, or one day of it
    i.iv_percentile::double as iv_percentile, -- fraction of days below; null: no chain, or one day of it
    (i.iv30 - h30.close_to_close)::double as iv30_minus_hv30, -- annualised fraction, positive: implied is dearer; null: no chain
    e.date::date as next_earnings, -- the first report on or after as_of, see events; null: not known
    m.expiration_date::date as next_monthly, -- the first monthly expiration on or after as_of
    (m.expiration_date - u.date)::integer as dte, -- calendar days from as_of to next_monthly
    main.expected_move_calendar(u.last, x.atm_iv, m.expiration_date - u.date)::double as expected_move, -- USD, one sigma to next_monthly by calendar time; null: no chain
    (epoch(now()) - epoch(f.root_asked_at))::double as age_s -- seconds since the oldest input was last compared with its source
from underlyings as u
left join derived.volatility_latest as h20
    on h20.symbol = u.symbol and h20.lookback = 20
left join derived.volatility_latest as h30
    on h30.symbol = u.symbol and h30.lookback = 30
asof left join monthlies as m
    on m.underlying = u.underlying and u.date <= m.expiration_date
asof left join reports as e
    on e.symbol = u.symbol and u.date <= e.date
left join main.iv_rank as i
    on i.underlying = u.symbol and i.date > u.date - 7
left join derived.latest_expirations as x
    on x.underlying = u.symbol and x.expiration_date = m.expiration_date and x.is_main
left join catalog.freshness as f
    on f.dataset = 'volatility_latest'
