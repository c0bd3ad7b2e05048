-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of constant maturities of each snapshot, straight in total variance between the expirations on
--   both sides. Stored: ranks look at a year of it, and a snapshot is computed once.
-- kind: table
-- grain: snapshot, days
-- check: not_null(snapshot, underlying, date, days), unique(grain), range(implied_volatility, 0, 1000)
-- incremental: snapshot through derived.option_snapshots
with
-- Of two series that expire on one date, the one with more quotes.
terms as (
    select
        e.*,
        e.years * 365 as term
    from derived.expiration_implied as e
    where e.years > 0
        and e.atm_iv is not null
        and (getvariable('rebuilt_keys') is null or list_contains(getvariable('rebuilt_keys'), e.snapshot))
    qualify row_number() over (
        partition by e.underlying, e.snapshot, e.expiration_date order by e.quotes desc, e.settlement desc, e.root
    ) = 1
),
around as (
    select
        t.underlying,
        t.snapshot,
        any_value(t.snapshot_at) as snapshot_at,
        any_value(t.date) as date,
        any_value(t.spot) as spot,
        max(t.known_at) as known_at,
        d.days,
        max(t.term) filter (where t.term <= d.days) as term_1,
        arg_max(t.atm_iv, t.term) filter (where t.term <= d.days) as iv_1,
        arg_max({'skew': t.iv_25d_put - t.iv_25d_call}, t.term) filter (where t.term <= d.days) as before,
        min(t.term) filter (where t.term >= d.days) as term_2,
        arg_min(t.atm_iv, t.term) filter (where t.term >= d.days) as iv_2,
        arg_min({'skew': t.iv_25d_put - t.iv_25d_call}, t.term) filter (where t.term >= d.days) as after
    from terms as t
    cross join derived.standard_tenors() as d
    group by t.underlying, t.snapshot, d.days
)
select
    a.snapshot::varchar as snapshot, -- underlying and instant
    a.underlying::varchar as underlying, -- upper case
    a.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    a.date::date as date, -- session they belong to, New York
    a.spot::double as spot, -- USD per share of the underlying; null: not said
    a.days::integer as days, -- calendar days of the maturity
    derived.volatility_at(a.iv_1, a.term_1, a.iv_2, a.term_2, a.days)::double as implied_volatility, -- annualised fraction; null: no expirations on both sides
    coalesce(
        derived.volatility_at(a.iv_1, a.term_1, a.iv_2, a.term_2, a.days), a.iv_1, a.iv_2
    )::double as flat_implied_volatility, -- annualised fraction, beyond the listed range that of the nearest expiration
    (a.term_1 is null or a.term_2 is null)::boolean as is_extrapolated, -- true: the maturity lies beyond the listed range
    derived.between_points(a.days, a.term_1, a.before.skew, a.term_2, a.after.skew)::double as skew_25d_put_minus_call, -- annualised fraction; null: not to be had on both sides
    a.term_1::double as days_before, -- calendar days of the expiration before; null: none
    a.iv_1::double as iv_before, -- annualised fraction, of it
    a.term_2::double as days_after, -- calendar days of the expiration after; null: none
    a.iv_2::double as iv_after, -- annualised fraction, of it
    a.known_at::timestamp as known_at -- UTC; when its newest quote was known
from around as a
