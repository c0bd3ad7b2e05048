-- SPDX-License-Identifier: Apache-2.0
-- about: Sessions on which prices and corporate actions disagree: a jump within 2 % of n:m without a
--   split (unrecorded split), or a split that the prices do not show (double adjustment). Stored:
--   comparing 28 M bars with their predecessors takes 5 s.
-- kind: table
-- grain: symbol, date
-- check: not_null(symbol, date, finding), unique(grain)
-- incremental: symbol
with
basis as (
    select coalesce(max(p.price_basis), 'raw') as price_basis
    from raw.price_basis as p
    where p.is_current and p.source = 'metastock'
),
steps as (
    select
        b.symbol,
        b.date,
        b.open,
        b.close,
        lag(b.close) over by_date as prev_close,
        lag(b.date) over by_date as prev_date
    from staged.eod as b
    window by_date as (partition by b.symbol order by b.date)
),
splits as (
    select
        a.symbol,
        a.ex_date,
        product(a.ratio) as ratio
    from staged.corporate_actions as a
    where a.kind = 'split'
    group by a.symbol, a.ex_date
),
-- 5:4 and 4:3 are left out: of 17 such jumps in 12 well-known symbols every one was the market's.
ratios as (
    select
        r.n,
        r.m,
        r.n::double / r.m as ratio
    from (
        values
            (3, 2), (2, 1), (5, 2), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (10, 1), (15, 1),
            (20, 1), (25, 1), (30, 1), (40, 1), (50, 1), (100, 1),
            (2, 3), (1, 2), (2, 5), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (1, 10), (1, 15),
            (1, 20), (1, 25), (1, 30), (1, 40), (1, 50), (1, 100)
    ) as r (n, m)
),
-- A split happens overnight: the open, where given, must have jumped as well.
jumps as (
    select
        s.symbol,
        s.date,
        s.prev_date,
        s.prev_close / s.close as price_ratio,
        arg_min(r.n, abs(ln(s.prev_close / s.close / r.ratio))) as n,
        arg_min(r.m, abs(ln(s.prev_close / s.close / r.ratio))) as m
    from steps as s
    join ratios as r
        on abs(s.prev_close / s.close / r.ratio - 1) <= 0.02
        and (s.open is null or s.open <= 0 or abs(ln(s.prev_close / s.open / r.ratio)) <= 0.1)
    where s.prev_close / s.close not between 0.7 and 1.4
    group by s.symbol, s.date, s.prev_date, s.prev_close, s.close
),
unrecorded as (
    select
        j.symbol,
        j.date,
        'unrecorded split' as finding,
        j.price_ratio,
        j.n || ':' || j.m as split
    from jumps as j
    cross join basis as k
    left join splits as a
        on a.symbol = j.symbol and a.ex_date > j.prev_date and a.ex_date <= j.date
    where a.symbol is null or k.price_basis <> 'raw'
),
-- With raw prices a split of a fifth or more shows; where the price hardly moved it is in already.
double_adjusted as (
    select
        s.symbol,
        s.date,
        'double adjustment' as finding,
        s.prev_close / s.close as price_ratio,
        round(a.ratio, 6) || ':1' as split
    from splits as a
    join steps as s
        on s.symbol = a.symbol and a.ex_date > s.prev_date and a.ex_date <= s.date
    cross join basis as k
    where k.price_basis = 'raw'
        and abs(ln(a.ratio)) >= ln(1.2)
        and abs(ln(s.prev_close / s.close)) < abs(ln(s.prev_close / s.close / a.ratio)) / 3
)
select
    u.symbol::varchar as symbol, -- upper case
    u.date::date as date, -- session of the jump, or of the split
    max(u.finding)::varchar as finding, -- unrecorded split, or double adjustment
    max(u.price_ratio)::double as price_ratio, -- close before over close
    max(u.split)::varchar as split -- new:old shares that would explain it, or that the action says
from (
    select * from unrecorded
    union all
    select * from double_adjusted
) as u
group by u.symbol, u.date
