-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility with the next report taken out, and what the options pay for it: the two expirations after the
--   report give the volatility of an ordinary day, the first one's rest is the report's.
-- kind: view
-- grain: underlying, expiration_date
with
terms as (
    select
        e.*,
        e.atm_iv * e.atm_iv * e.years as total
    from derived.latest_expirations as e
    where e.is_main and e.atm_iv is not null and e.years > 0
),
-- A report before the open is past at its date, one after the close is ahead.
reports as (
    select
        v.symbol,
        v.date,
        v.time_hint,
        case v.time_hint when 'BMO' then v.date - 1 else v.date end as last_date_before
    from main.events as v
    where v.type = 'earnings'
),
placed as (
    select
        t.*,
        r.date as earnings_date,
        r.time_hint,
        t.expiration_date > r.date or t.expiration_date = r.date and r.time_hint = 'BMO' as is_after
    from terms as t
    asof join reports as r
        on r.symbol = t.underlying and t.date <= r.last_date_before
),
ranked as (
    select
        p.*,
        row_number() over (partition by p.underlying, p.is_after order by p.expiration_date) as place
    from placed as p
),
pairs as (
    select
        r.underlying,
        max(case when r.place = 1 then r.years end) as years_1,
        max(case when r.place = 1 then r.total end) as total_1,
        max(case when r.place = 2 then r.years end) as years_2,
        max(case when r.place = 2 then r.total end) as total_2
    from ranked as r
    where r.is_after and r.place <= 2
    group by r.underlying
),
split as (
    select
        p.underlying,
        case when p.total_2 >= p.total_1 then (p.total_2 - p.total_1) / (p.years_2 - p.years_1) end as ambient,
        p.total_1 - (p.total_2 - p.total_1) / (p.years_2 - p.years_1) * p.years_1 as event
    from pairs as p
    where p.years_2 > p.years_1
)
select
    r.underlying::varchar as underlying,
    r.expiration_date::date as expiration_date,
    r.snapshot_at::timestamp as snapshot_at,
    r.dte_calendar::integer as dte_calendar,
    r.earnings_date::date as earnings_date, -- next report that is known of
    r.time_hint::varchar as time_hint, -- BMO before the open, AMC after the close; null: not said
    r.is_after::boolean as is_after_earnings, -- true: the report comes before it expires
    r.atm_iv::double as implied_volatility, -- annualised fraction
    sqrt(s.ambient)::double as ambient_volatility, -- annualised fraction, of days without report; null: total variance falls
    (case when s.ambient is not null and s.event >= 0 then sqrt(s.event) end)::double as earnings_move, -- fraction, one standard deviation of the report alone; null: none is paid for
    (
        case
            when not r.is_after then r.atm_iv
            when s.ambient is not null and s.event >= 0 and r.total >= s.event then sqrt((r.total - s.event) / r.years)
        end
    )::double as stripped_volatility -- annualised fraction, without the report; null: cannot be split
from ranked as r
left join split as s
    on s.underlying = r.underlying
