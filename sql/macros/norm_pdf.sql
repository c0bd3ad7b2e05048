-- SPDX-License-Identifier: Apache-2.0
-- about: The density of the standard normal distribution at x: norm_pdf(0) is 0.3989. Null for null and for not-a-number.
-- kind: macro
create or replace macro norm_pdf(x) as (
    with
    given as (
        select (x)::double as x
    ),
    -- Beyond 40 the density is below the smallest double; see norm_cdf for the split of the square.
    split as (
        select
            least(abs(g.x), 40) as distance,
            trunc(least(abs(g.x), 40) * 16) / 16 as coarse
        from given as g
        where not isnan(g.x)
    )
    select (
        exp(-s.coarse * s.coarse / 2)
        * exp(-(s.distance - s.coarse) * (s.distance + s.coarse) / 2)
        * 3.989422804014327e-1 -- 1 over the square root of 2 pi
    )::double
    from split as s
)
