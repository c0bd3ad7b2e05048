-- SPDX-License-Identifier: Apache-2.0
-- about: What to multiply prices by, per symbol and span of dates between corporate actions.
--   Split factor old/new shares; dividend factor 1 - D / (close before ex). Stored, because finding
--   the close before each ex-date reads the bars: 1 s over 28 M of them, and every series needs it.
-- kind: table
-- grain: symbol, valid_until
-- check: not_null(symbol, valid_from, valid_until), unique(grain), range(split_factor, 1e-300, 1e300), range(dividend_factor, 1e-300, 1)
-- incremental: symbol
with
basis as (
    select max(p.price_basis) as price_basis
    from raw.price_basis as p
    where p.is_current and p.source = 'metastock'
),
events as (
    select
        a.symbol,
        a.ex_date,
        product(case when a.kind = 'split' then 1 / a.ratio else 1 end) as split_factor,
        sum(case when a.kind = 'dividend' then a.cash else 0 end) as cash
    from staged.corporate_actions as a
    group by a.symbol, a.ex_date
),
-- The last bar before each ex-date, in the basis the bars are in.
with_close as (
    select
        e.symbol,
        e.ex_date,
        e.split_factor,
        e.cash,
        arg_max(b.close, b.date) as close_before
    from events as e
    left join staged.eod as b
        on b.symbol = e.symbol and b.date < e.ex_date
    group by e.symbol, e.ex_date, e.split_factor, e.cash
),
-- Split-adjusted bars carry later splits already; the cash must be brought to the same basis.
in_basis as (
    select
        c.*,
        coalesce(s.price_basis, 'raw') as price_basis,
        case
            when s.price_basis = 'split'
                then c.cash * product(c.split_factor) over (
                    partition by c.symbol order by c.ex_date desc rows unbounded preceding
                )
            else c.cash
        end as cash_in_basis
    from with_close as c
    cross join basis as s
),
factors as (
    select
        i.symbol,
        i.ex_date,
        case when i.price_basis = 'raw' then i.split_factor else 1 end as split_factor,
        case
            when i.price_basis <> 'total' and i.cash > 0 and i.cash_in_basis < i.close_before
                then 1 - i.cash_in_basis / i.close_before
            else 1
        end as dividend_factor,
        i.cash > 0 and i.price_basis <> 'total' and i.cash_in_basis >= i.close_before as is_refused
    from in_basis as i
)
select
    f.symbol::varchar as symbol, -- upper case
    coalesce(lag(f.ex_date) over by_date, date '0001-01-01')::date as valid_from, -- first date the factors apply to
    f.ex_date::date as valid_until, -- first date they no longer apply to: the ex-date of the next action
    (product(f.split_factor) over later)::double as split_factor, -- old per new shares over all later splits; multiplies prices, divides volumes
    (product(f.dividend_factor) over later)::double as dividend_factor, -- product of 1 - D / close over all later dividends; multiplies prices
    f.is_refused::boolean as is_refused -- true: the cash is not below the close before, so this dividend is left out
from factors as f
window
    by_date as (partition by f.symbol order by f.ex_date),
    later as (partition by f.symbol order by f.ex_date desc rows unbounded preceding)
