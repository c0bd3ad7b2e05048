-- SPDX-License-Identifier: Apache-2.0
-- about: The interest rates that were known at an instant (UTC), as straight pieces: from date until before until_date, for
--   tenors from tenor_from until before tenor_to days, the rate goes from rate_from to rate_to. Before the first rate of
--   your files, or without any, the constant of the settings holds.
-- kind: macro
create or replace macro rates_at(known_until) as table
with
points as (
    select
        r.date,
        r.tenor_days,
        r.rate
    from raw.rates as r
    where r.known_at <= known_until and (r.replaced_at is null or r.replaced_at > known_until)
    qualify row_number() over (
        partition by r.date, r.tenor_days order by r.known_at desc, r.load_id desc
    ) = 1
),
dates as (
    select
        d.date,
        coalesce(lead(d.date) over (order by d.date), date '9999-12-31') as until_date
    from (select distinct p.date from points as p) as d
),
pieces as (
    select
        p.date,
        p.tenor_days as tenor_from,
        coalesce(lead(p.tenor_days) over by_tenor, 1000000) as tenor_to,
        p.rate as rate_from,
        coalesce(lead(p.rate) over by_tenor, p.rate) as rate_to,
        row_number() over by_tenor as place
    from points as p
    window by_tenor as (partition by p.date order by p.tenor_days)
),
-- Below the shortest tenor its rate holds.
dated as (
    select
        i.date,
        i.tenor_from,
        i.tenor_to,
        i.rate_from,
        i.rate_to,
        'files' as source
    from pieces as i
    union all
    select
        i.date,
        -1000000 as tenor_from,
        i.tenor_from as tenor_to,
        i.rate_from,
        i.rate_from as rate_to,
        'files' as source
    from pieces as i
    where i.place = 1
)
select
    d.date,
    d.until_date,
    g.tenor_from,
    g.tenor_to,
    g.rate_from,
    g.rate_to,
    g.source
from dated as g
join dates as d
    on d.date = g.date
union all
select
    date '0001-01-01' as date,
    coalesce((select min(d.date) from dates as d), date '9999-12-31') as until_date,
    -1000000 as tenor_from,
    1000000 as tenor_to,
    c.rate as rate_from,
    c.rate as rate_to,
    c.source
from (
    -- 4 percent where the setting was never read.
    select
        coalesce(max(k.rate), 0.04) as rate,
        case when bool_or(not k.is_default) then 'setting' else 'default' end as source
    from raw.constant_rates as k
    where k.is_current
) as c
