-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of a European option with its Greeks as one value, worked out once: volatility, reason (why
--   there is none, see bsm_iv_reason) and greeks (see bsm_greeks).
-- kind: macro
-- The option out of the money of the same strike has the same volatility; its value over its upper bound depends on two
-- numbers alone: the distance a = |ln(forward / strike)| and the total deviation s = volatility * sqrt(years). The value is
-- steepest at s = sqrt(2 a), the turn. Below it the logarithm of the value is solved for, above it that of what lacks
-- to the bound: both are nearly straight in s. The start is within a factor of 0.6 where it is worst (a strike next to the
-- forward, far in its wing), within 0.1 above the turn. Three steps of third order do, the first two with a rough tail.
create or replace macro implied_of(spot, strike, years, rate, dividend_yield, price, option_type) as (
    with
    given as (
        select
            (spot)::double as spot,
            (strike)::double as strike,
            (years)::double as years,
            (rate)::double as rate,
            (dividend_yield)::double as yield,
            (price)::double as price,
            case (option_type)::varchar when 'C' then 1e0 when 'P' then -1e0 end as side
    ),
    discounted as (
        select
            g.*,
            exp(-g.yield * g.years) as carry,
            g.spot * exp(-g.yield * g.years) as spot_value,
            g.strike * exp(-g.rate * g.years) as strike_value,
            case
                when g.side is null then 'no option type'
                when not coalesce(isfinite(g.spot) and g.spot > 0, false) then 'no spot'
                when not coalesce(isfinite(g.strike) and g.strike > 0, false) then 'no strike'
                when not coalesce(isfinite(g.years), false) then 'no expiration'
                when g.years <= 0 then 'expired'
                when not coalesce(abs(g.rate) < 1e6 and abs(g.yield) < 1e6, false) then 'no rate'
                when not coalesce(isfinite(g.price) and g.price > 0, false) then 'no price'
            end as fault
        from given as g
    ),
    bounded as (
        select
            d.*,
            case
                when d.fault is not null then d.fault
                when not (d.spot_value / d.strike_value between 1e-300 and 1e300) then 'no rate'
                when d.price <= d.side * (d.spot_value - d.strike_value) then 'below intrinsic'
                when d.price >= case when d.side > 0 then d.spot_value else d.strike_value end then 'above upper bound'
            end as refusal
        from discounted as d
    ),
    framed as (
        select
            b.*,
            case when b.refusal is null then ln(b.spot_value / b.strike_value) end as moneyness,
            case
                when b.refusal is null
                    then (b.price - greatest(0, b.side * (b.spot_value - b.strike_value))) / least(b.spot_value, b.strike_value)
            end as value
        from bounded as b
    ),
    turned as (
        select
            f.*,
            abs(f.moneyness) as a,
            sqrt(2 * abs(f.moneyness)) as turn,
            1 - 10 / (sqrt(2 * abs(f.moneyness)) + 5) as t
        from framed as f
    ),
    aimed as (
        select
            t.*,
            derived.normal_tail(t.t) as tail,
            case when t.value < 5e-1 - derived.normal_tail(t.t) then 1e0 else -1e0 end as branch
        from turned as t
    ),
    targeted as (
        select
            m.*,
            5e-1 - m.branch * m.tail as turn_gap,
            ln(greatest(case when m.branch > 0 then m.value else 1 - m.value end, 1e-300)) as target
        from aimed as m
    ),
    deepened as (
        select
            t.*,
            t.turn / (2.5066282746310005e0 * t.turn_gap) as k,
            greatest(0, ln(greatest(t.turn_gap, 1e-300)) - t.target) as depth
        from targeted as t
    ),
    -- Below: a * sinh(z)^2 + k * z = depth with s = turn * exp(-z), and one step of Newton's. Above: a parabola.
    guessed as (
        select
            d.*,
            case when d.branch > 0 then least(exp(least(d.depth / d.k, 700)), sqrt(d.depth / d.a) + sqrt(1 + d.depth / d.a)) end as e
        from deepened as d
    ),
    started as (
        select
            g.*,
            case
                when g.branch > 0
                    then g.turn / g.e * exp(
                        (g.a * (g.e - 1 / g.e) * (g.e - 1 / g.e) / 4 + g.k * ln(g.e) - g.depth)
                        / (g.a * (g.e * g.e - 1 / (g.e * g.e)) / 2 + g.k)
                    )
                else g.turn + 4 * (sqrt(1.5915494309189535e-1 / (g.turn_gap * g.turn_gap) + g.depth / 2) - 3.9894228040143265e-1 / g.turn_gap)
            end as s0
        from guessed as g
    ),
    placed_0 as (
        select
            p.*,
            p.a / p.s0 - p.s0 / 2 as near_0,
            p.a / p.s0 + p.s0 / 2 as far_0,
            1 - 8 / (abs(p.a / p.s0 - p.s0 / 2) + 4) as t_near_0,
            1 - 8 / (p.a / p.s0 + p.s0 / 2 + 4) as t_far_0
        from started as p
    ),
    gaps_0 as (
        select
            p.*,
            derived.normal_tail_rough(p.t_near_0) - p.branch * derived.normal_tail_rough(p.t_far_0) as gap_0
        from placed_0 as p
    ),
    steps_0 as (
        select
            g.*,
            derived.newton_step(g.near_0, g.gap_0, g.target, g.branch) as newton_0
        from gaps_0 as g
    ),
    moved_0 as (
        select
            s.*,
            derived.halley_step(s.s0, s.newton_0, s.near_0, s.far_0, s.gap_0, s.branch, s.turn) as s1
        from steps_0 as s
    ),
    placed_1 as (
        select
            p.*,
            p.a / p.s1 - p.s1 / 2 as near_1,
            p.a / p.s1 + p.s1 / 2 as far_1,
            1 - 8 / (abs(p.a / p.s1 - p.s1 / 2) + 4) as t_near_1,
            1 - 8 / (p.a / p.s1 + p.s1 / 2 + 4) as t_far_1
        from moved_0 as p
    ),
    gaps_1 as (
        select
            p.*,
            derived.normal_tail_rough(p.t_near_1) - p.branch * derived.normal_tail_rough(p.t_far_1) as gap_1
        from placed_1 as p
    ),
    steps_1 as (
        select
            g.*,
            derived.newton_step(g.near_1, g.gap_1, g.target, g.branch) as newton_1
        from gaps_1 as g
    ),
    moved_1 as (
        select
            s.*,
            derived.halley_step(s.s1, s.newton_1, s.near_1, s.far_1, s.gap_1, s.branch, s.turn) as s2
        from steps_1 as s
    ),
    placed_2 as (
        select
            p.*,
            p.a / p.s2 - p.s2 / 2 as near_2,
            p.a / p.s2 + p.s2 / 2 as far_2,
            1 - 10 / (abs(p.a / p.s2 - p.s2 / 2) + 5) as t_near_2,
            1 - 10 / (p.a / p.s2 + p.s2 / 2 + 5) as t_far_2
        from moved_1 as p
    ),
    gaps_2 as (
        select
            p.*,
            derived.normal_tail(p.t_near_2) - p.branch * derived.normal_tail(p.t_far_2) as gap_2
        from placed_2 as p
    ),
    steps_2 as (
        select
            g.*,
            derived.newton_step(g.near_2, g.gap_2, g.target, g.branch) as newton_2
        from gaps_2 as g
    ),
    moved_2 as (
        select
            s.*,
            derived.halley_step(s.s2, s.newton_2, s.near_2, s.far_2, s.gap_2, s.branch, s.turn) as s3
        from steps_2 as s
    ),
    standardised as (
        select
            m.*,
            m.s3 / sqrt(m.years) as volatility,
            m.moneyness / m.s3 + m.s3 / 2 as d1,
            m.moneyness / m.s3 - m.s3 / 2 as d2
        from moved_2 as m
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
            t.bell / 2.5066282746310005e0 as density,
            case when t.side * t.d1 > 0 then 1 - t.tail_1 else t.tail_1 end as n1,
            case when t.side * t.d2 > 0 then 1 - t.tail_2 else t.tail_2 end as n2
        from tails as t
    ),
    -- An answer is given when its price is the given one, but for rounding, to 1e-9 of volatility.
    judged as (
        select
            h.*,
            case
                when h.refusal is not null then h.refusal
                when h.spot_value * h.density * sqrt(h.years) >= 1e-8
                    and abs(h.side * (h.spot_value * h.n1 - h.strike_value * h.n2) - h.price)
                    <= 1e-9 * h.spot_value * h.density * sqrt(h.years) + 1e-14 * (h.spot_value + h.strike_value)
                    then null
                else 'vega too small'
            end as reason
        from halves as h
    ),
    settled as (
        select
            j.*,
            case when j.reason is null then j.volatility end as known_volatility,
            case when j.reason is null then j.density end as known_density,
            case when j.reason is null then j.n1 end as known_n1,
            case when j.reason is null then j.n2 end as known_n2
        from judged as j
    )
    select {
        'volatility': s.known_volatility,
        'reason': s.reason,
        'greeks': derived.greeks_of(
            s.side, s.spot, s.years, s.rate, s.yield, s.known_volatility, s.carry, s.spot_value, s.strike_value,
            s.d1, s.d2, s.known_n1, s.known_n2, s.known_density, 1 / s.s3
        )
    }
    from settled as s
)
