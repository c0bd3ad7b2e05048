-- SPDX-License-Identifier: Apache-2.0
-- about: The standard normal distribution up to x, to a relative 1e-14 in both tails: norm_cdf(-1.96). Null for null and
--   for not-a-number.
-- kind: macro
create or replace macro norm_cdf(x) as (
    with
    given as (
        select (x)::double as x
    ),
    -- Beyond 40 the tail is below the smallest double.
    bounded as (
        select
            g.x,
            least(abs(g.x), 40) as distance
        from given as g
        where not isnan(g.x)
    ),
    -- exp(-y * y / 2) loses digits of the square: the part of y with few digits is squared exactly.
    split as (
        select
            b.x,
            b.distance,
            trunc(b.distance * 16) / 16 as coarse,
            1 - 10 / (b.distance + 5) as t
        from bounded as b
    ),
    tails as (
        select
            s.x,
            exp(-s.coarse * s.coarse / 2)
            * exp(-(s.distance - s.coarse) * (s.distance + s.coarse) / 2)
            * derived.normal_tail(s.t) as tail
        from split as s
    )
    select (case when t.x > 0 then 1 - t.tail else t.tail end)::double
    from tails as t
)
