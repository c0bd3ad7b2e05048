-- SPDX-License-Identifier: Apache-2.0
-- about: Volatility between each expiration of the newest chain and the one after, as both imply it.
-- kind: view
-- grain: underlying, expiration_date
with
terms as (
    select
        e.*,
        lead(e.expiration_date) over by_date as next_expiration_date,
        lead(e.years) over by_date as next_years,
        lead(e.atm_iv) over by_date as next_atm_iv
    from derived.latest_expirations as e
    where e.is_main and e.atm_iv is not null and e.years > 0
    window by_date as (partition by e.underlying order by e.expiration_date)
)
select
    t.underlying::varchar as underlying,
    t.expiration_date::date as expiration_date, -- the earlier of the two
    t.next_expiration_date::date as next_expiration_date, -- the later of the two
    t.snapshot_at::timestamp as snapshot_at,
    t.dte_calendar::integer as dte_calendar, -- calendar days to the earlier
    t.atm_iv::double as implied_volatility, -- annualised fraction, to the earlier
    t.next_atm_iv::double as next_implied_volatility, -- annualised fraction, to the later
    main.forward_volatility_between(t.atm_iv, t.years, t.next_atm_iv, t.next_years)::double as forward_volatility, -- annualised fraction, from one to the other; null: total variance falls
    (t.next_atm_iv * t.next_atm_iv * t.next_years < t.atm_iv * t.atm_iv * t.years)::boolean as is_calendar_arbitrage -- true: total variance falls
from terms as t
where t.next_expiration_date is not null
