-- SPDX-License-Identifier: Apache-2.0
-- about: Per bar, the terms the volatility estimators add up: o = ln O/C', u = ln H/O, d = ln L/O,
--   c = ln C/O on adjusted prices. A term is null where the bar cannot give it.
-- kind: view
-- grain: symbol, date
with
bars as (
    select
        b.symbol,
        b.date,
        b.adj_open as o,
        b.adj_high as h,
        b.adj_low as l,
        b.adj_close as c,
        lag(b.adj_close) over by_date as prev_close,
        row_number() over by_date as bar_no,
        k.session_no - lag(k.session_no) over by_date as sessions_spanned
    from derived.eod_adjusted as b
    left join derived.calendar as k
        on k.market = 'XNYS' and k.date = b.date
    where k.is_trading_day is distinct from false
    window by_date as (partition by b.symbol order by b.date)
),
judged as (
    select
        b.*,
        b.h > 0 and b.l > 0 and b.h >= b.c and b.l <= b.c and b.h >= b.l as has_range,
        b.o > 0 and b.h > 0 and b.l > 0 and b.h >= greatest(b.o, b.c) and b.l <= least(b.o, b.c) as is_valid
    from bars as b
),
logs as (
    select
        j.*,
        case when j.prev_close > 0 then ln(j.c / j.prev_close) end as log_return,
        case when j.has_range then ln(j.h / j.l) end as high_low,
        case when j.is_valid and j.prev_close > 0 then ln(j.o / j.prev_close) end as overnight,
        case when j.is_valid then ln(j.h / j.o) end as up,
        case when j.is_valid then ln(j.l / j.o) end as down,
        case when j.is_valid then ln(j.c / j.o) end as open_close
    from judged as j
)
select
    g.symbol::varchar as symbol, -- upper case
    g.date::date as date, -- session date, New York
    g.bar_no::bigint as bar_no, -- 1 for the symbol's first bar
    g.sessions_spanned::integer as sessions_spanned, -- as in returns
    (p.symbol is not null)::boolean as is_suspect, -- true: listed in suspected splits
    g.log_return::double as log_return, -- fraction; null: the first bar
    (g.log_return * g.log_return)::double as squared_return, -- its square
    (g.high_low * g.high_low)::double as parkinson_term, -- (ln H/L)^2; null: no valid range
    (0.5 * (g.up - g.down) * (g.up - g.down) - (2 * ln(2) - 1) * g.open_close * g.open_close)::double as garman_klass_term, -- Garman-Klass 1980, simple form; null: invalid bar
    (g.up * (g.up - g.open_close) + g.down * (g.down - g.open_close))::double as rogers_satchell_term, -- Rogers-Satchell 1991; null: invalid bar
    g.overnight::double as overnight, -- ln O/C'; null: invalid bar, or the first
    g.open_close::double as open_close -- ln C/O; null: invalid bar
from logs as g
left join derived.suspected_splits as p
    on p.symbol = g.symbol and p.date = g.date
