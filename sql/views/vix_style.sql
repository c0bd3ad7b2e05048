-- SPDX-License-Identifier: Apache-2.0
-- about: Model-free volatility of 30 days from the newest chain, as Cboe computes VIX: the sum over strikes of two expirations
--   around 30 days, those at the end of a week with more than 23 and fewer than 37 days where they are listed.
-- kind: view
-- grain: underlying
with
terms as (
    select
        e.*,
        e.years * 525600 as minutes,
        e.is_week_end and e.years * 365 > 23 and e.years * 365 < 37 as is_standard
    from derived.latest_expirations as e
    where e.variance > 0 and e.years > 0
    qualify row_number() over (
        partition by e.underlying, e.expiration_date order by e.variance_strikes desc, e.settlement desc, e.root
    ) = 1
),
around as (
    select
        t.underlying,
        any_value(t.snapshot_at) as snapshot_at,
        arg_max(t, t.minutes) filter (where t.is_standard and t.minutes <= 43200) as standard_near,
        arg_min(t, t.minutes) filter (where t.is_standard and t.minutes > 43200) as standard_next,
        arg_max(t, t.minutes) filter (where t.minutes <= 43200) as near,
        arg_min(t, t.minutes) filter (where t.minutes > 43200) as later
    from terms as t
    group by t.underlying
),
chosen as (
    select
        a.underlying,
        a.snapshot_at,
        case
            when a.standard_near is not null and a.standard_next is not null then 'ends of weeks of 23 to 37 days'
            when a.near is not null and a.later is not null then 'expirations around 30 days'
        end as method,
        case when a.standard_near is not null and a.standard_next is not null then a.standard_near else a.near end as near,
        case when a.standard_near is not null and a.standard_next is not null then a.standard_next else a.later end as later
    from around as a
)
select
    c.underlying::varchar as underlying,
    c.snapshot_at::timestamp as snapshot_at,
    main.interpolated_volatility(sqrt(c.near.variance), c.near.minutes, sqrt(c.later.variance), c.later.minutes, 43200)::double as volatility, -- annualised fraction, 0.20 where VIX shows 20; null: no expirations around 30 days
    c.method::varchar as method, -- which expirations: ends of weeks of 23 to 37 days, else expirations around 30 days; null: neither
    c.near.expiration_date::date as near_expiration_date, -- null: none
    c.near.variance::double as near_variance, -- a year, fraction squared
    c.near.minutes::double as near_minutes, -- to expiration
    c.later.expiration_date::date as next_expiration_date, -- null: none
    c.later.variance::double as next_variance, -- a year, fraction squared
    c.later.minutes::double as next_minutes -- to expiration
from chosen as c
