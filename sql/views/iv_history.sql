-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of constant maturities day by day, from the last snapshot of each session that you own; one
--   taken after hours or on a weekend counts only where none was taken until an hour after the close.
-- kind: view
-- grain: underlying, date
with
days as (
    select
        t.underlying,
        t.date,
        t.snapshot_at,
        t.spot,
        max(case when t.days = 7 then t.implied_volatility end) as iv7,
        max(case when t.days = 14 then t.implied_volatility end) as iv14,
        max(case when t.days = 30 then t.implied_volatility end) as iv30,
        max(case when t.days = 60 then t.implied_volatility end) as iv60,
        max(case when t.days = 90 then t.implied_volatility end) as iv90,
        max(case when t.days = 180 then t.implied_volatility end) as iv180,
        max(case when t.days = 365 then t.implied_volatility end) as iv365,
        max(case when t.days = 30 then t.skew_25d_put_minus_call end) as skew30,
        max(t.known_at) as known_at
    from derived.tenor_implied as t
    group by t.underlying, t.date, t.snapshot_at, t.spot
)
select
    d.underlying::varchar as underlying,
    d.date::date as date, -- session, New York
    d.snapshot_at::timestamp as snapshot_at, -- UTC; when its snapshot was taken
    d.spot::double as spot,
    d.iv7::double as iv7, -- annualised fraction, 7 calendar days; null: not between two expirations
    d.iv14::double as iv14, -- annualised fraction, 14 calendar days; null: not between two expirations
    d.iv30::double as iv30, -- annualised fraction, 30 calendar days; null: not between two expirations
    d.iv60::double as iv60, -- annualised fraction, 60 calendar days; null: not between two expirations
    d.iv90::double as iv90, -- annualised fraction, 90 calendar days; null: not between two expirations
    d.iv180::double as iv180, -- annualised fraction, 180 calendar days; null: not between two expirations
    d.iv365::double as iv365, -- annualised fraction, 365 calendar days; null: not between two expirations
    d.skew30::double as skew_25d_put_minus_call, -- annualised fraction, 30 calendar days; null: not to be had
    d.known_at::timestamp as known_at
from days as d
left join derived.calendar as c
    on c.market = 'XNYS' and c.date = d.date
qualify row_number() over (
    partition by d.underlying, d.date
    order by (d.snapshot_at <= c.close_utc + interval '1 hour') desc nulls last, d.snapshot_at desc
) = 1
