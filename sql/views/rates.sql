-- SPDX-License-Identifier: Apache-2.0
-- about: Interest rates for discounting and carry: those of your files (resource rates), and the constant that holds before the
--   first of them or without any: 0.04, or [sources.rates] constant. Between tenors the rate is straight, beyond them flat.
-- kind: view
-- grain: date, tenor_days, source
select
    r.date::date as date, -- first date it holds; null: the constant, before any other
    r.tenor_days::integer as tenor_days, -- calendar days; null: any
    r.rate::double as rate, -- continuous, fraction a year of 365 days
    r.source::varchar as source, -- files, setting or default
    r.known_at::timestamp as known_at -- UTC; when it was known; null: a setting
from (
    select
        f.date,
        f.tenor_days,
        f.rate,
        'files' as source,
        f.known_at
    from raw.rates as f
    where f.is_current
    union all
    select
        null as date,
        null as tenor_days,
        coalesce(max(c.rate), 0.04) as rate,
        case when bool_or(not c.is_default) then 'setting' else 'default' end as source,
        null as known_at
    from raw.constant_rates as c
    where c.is_current
) as r
