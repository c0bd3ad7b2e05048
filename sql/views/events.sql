-- SPDX-License-Identifier: Apache-2.0
-- about: Dividends and quarterly results per symbol: those that have happened, and the next ones as the
--   newest market metrics expect them.
-- kind: view
-- grain: symbol, date, type
with
past as (
    select
        e.symbol,
        e.date,
        e.type,
        null::varchar as time_hint,
        e.known_at,
        e.amount,
        e.earnings_per_share,
        false as is_estimated
    from raw.tastytrade_events as e
    where e.is_current
),
newest as (
    select m.*
    from main.market_metrics as m
),
-- What is said more than once is known since the first time.
expected as (
    select
        n.symbol,
        n.earnings_expected_report_date as date,
        'earnings' as type,
        n.earnings_time_of_day as time_hint,
        null::double as amount,
        coalesce(n.earnings_estimated, true) as is_estimated,
        n.updated_at,
        n.known_at
    from newest as n
    union all
    select
        n.symbol,
        n.dividend_ex_date,
        'dividend',
        null,
        n.dividend_rate_per_share,
        false,
        n.updated_at,
        n.known_at
    from newest as n
    union all
    select
        n.symbol,
        n.dividend_next_date,
        'dividend',
        null,
        null,
        true,
        n.updated_at,
        n.known_at
    from newest as n
    where n.dividend_next_date is distinct from n.dividend_ex_date
),
said_before as (
    select
        h.symbol,
        h.earnings_expected_report_date as earnings_date,
        h.dividend_ex_date,
        h.dividend_next_date,
        h.known_at
    from main.market_metrics_history as h
),
next_ones as (
    select
        x.symbol,
        x.date,
        x.type,
        x.time_hint,
        x.amount,
        x.is_estimated,
        least(x.known_at, min(b.known_at)) as known_at
    from expected as x
    left join said_before as b
        on b.symbol = x.symbol
        and case x.type when 'earnings' then b.earnings_date = x.date else b.dividend_ex_date = x.date or b.dividend_next_date = x.date end
    left join past as p
        on p.symbol = x.symbol and p.date = x.date and p.type = x.type
    where x.date >= x.updated_at::date and p.symbol is null
    group by x.symbol, x.date, x.type, x.time_hint, x.amount, x.is_estimated, x.known_at
)
select
    e.symbol::varchar as symbol, -- upper case, share class after a point
    e.date::date as date, -- day of the report; ex-date of the dividend
    e.type::varchar as type, -- earnings or dividend
    e.time_hint::varchar as time_hint, -- as the vendor sends it: BMO before the open, AMC after the close; null: not said
    'tastytrade'::varchar as source, -- who says so
    e.known_at::timestamp as known_at, -- UTC; since when it could be known; of what is expected: since when it was loaded with that date
    e.amount::double as amount, -- USD per share; null: no dividend, or not announced
    e.earnings_per_share::double as earnings_per_share, -- USD per share; null: no results, or still to come
    e.is_estimated::boolean as is_estimated -- true: the date is a guess
from (
    select p.symbol, p.date, p.type, p.time_hint, p.known_at, p.amount, p.earnings_per_share, p.is_estimated
    from past as p
    union all
    select n.symbol, n.date, n.type, n.time_hint, n.known_at, n.amount, null, n.is_estimated
    from next_ones as n
) as e
