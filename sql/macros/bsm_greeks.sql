-- SPDX-License-Identifier: Apache-2.0
-- about: Price and Greeks of a European option as one value, worked out once, in the units of the macros bsm_price,
--   bsm_delta and so on: bsm_greeks(100, 105, 0.25, 0.05, 0.02, 0.25, 'C').delta. Columns of it are unnest(g) over a
--   subquery that names it g. Years to expiration; continuous rates and volatility as fractions a year. At zero volatility or
--   zero years the limit, null where there is none; null for an option type other than C and P and for inputs out of range.
-- kind: macro
create or replace macro bsm_greeks(spot, strike, years, rate, dividend_yield, volatility, option_type) as (
    with
    given as (
        select
            (spot)::double as spot,
            (strike)::double as strike,
            (years)::double as years,
            (rate)::double as rate,
            (dividend_yield)::double as yield,
            (volatility)::double as volatility,
            case (option_type)::varchar when 'C' then 1e0 when 'P' then -1e0 end as side
    ),
    discounted as (
        select
            g.*,
            exp(-g.yield * g.years) as carry,
            g.spot * exp(-g.yield * g.years) as spot_value,
            g.strike * exp(-g.rate * g.years) as strike_value,
            g.volatility * sqrt(g.years) as deviation
        from given as g
        where g.spot > 0
            and g.strike > 0
            and g.years >= 0
            and g.volatility >= 0
            and g.side is not null
            and isfinite(g.spot + g.strike + g.years + g.volatility)
            and abs(g.rate) < 1e6
            and abs(g.yield) < 1e6
    ),
    measured as (
        select
            d.*,
            ln(d.spot_value / d.strike_value) as moneyness,
            case when d.deviation > 1e-100 then 1 / d.deviation when d.spot_value <> d.strike_value then 0e0 end as per_deviation
        from discounted as d
        where d.spot_value / d.strike_value > 0 and isfinite(d.spot_value / d.strike_value)
    ),
    -- Both are cut off where the tail is below the smallest double; without deviation the sign decides.
    standardised as (
        select
            m.*,
            greatest(-1e2, least(1e2, coalesce(m.moneyness * nullif(m.per_deviation, 0), 1e2 * sign(m.moneyness)) + m.deviation / 2)) as d1,
            greatest(-1e2, least(1e2, coalesce(m.moneyness * nullif(m.per_deviation, 0), 1e2 * sign(m.moneyness)) - m.deviation / 2)) as d2
        from measured as m
    ),
    mapped as (
        select
            s.*,
            1 - 10 / (abs(s.d1) + 5) as t1,
            1 - 10 / (abs(s.d2) + 5) as t2,
            exp(-s.d1 * s.d1 / 2) as bell
        from standardised as s
    ),
    tails as (
        select
            m.*,
            m.bell * derived.normal_tail(m.t1) as tail_1,
            exp(-m.d2 * m.d2 / 2) * derived.normal_tail(m.t2) as tail_2
        from mapped as m
    ),
    halves as (
        select
            t.*,
            case when t.side * t.d1 > 0 then 1 - t.tail_1 else t.tail_1 end as n1,
            case when t.side * t.d2 > 0 then 1 - t.tail_2 else t.tail_2 end as n2,
            t.bell / 2.5066282746310005e0 as density -- the square root of 2 pi
        from tails as t
    )
    select derived.greeks_of(
        h.side, h.spot, h.years, h.rate, h.yield, h.volatility, h.carry, h.spot_value, h.strike_value,
        h.d1, h.d2, h.n1, h.n2, h.density, h.per_deviation
    )
    from halves as h
)
