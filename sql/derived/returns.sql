-- SPDX-License-Identifier: Apache-2.0
-- about: One-session returns on adjusted closes, from one session of the symbol to its next.
-- kind: view
-- grain: symbol, date
with
sessions as (
    select
        b.symbol,
        b.date,
        b.adj_close,
        c.session_no
    from derived.eod_adjusted as b
    left join derived.calendar as c
        on c.market = 'XNYS' and c.date = b.date
    -- Bars of days without a session are no step of a series; days before the calendar pass.
    where c.is_trading_day is distinct from false
),
steps as (
    select
        s.symbol,
        s.date,
        s.adj_close / lag(s.adj_close) over by_date as gross_return,
        s.session_no - lag(s.session_no) over by_date as sessions_spanned
    from sessions as s
    window by_date as (partition by s.symbol order by s.date)
)
select
    s.symbol::varchar as symbol, -- upper case
    s.date::date as date, -- session date, New York
    ln(s.gross_return)::double as log_return, -- fraction; null: the symbol's first session
    (s.gross_return - 1)::double as simple_return, -- fraction; null: the symbol's first session
    s.sessions_spanned::integer as sessions_spanned, -- sessions from the previous bar to this one; 1: none missing; null: the first
    (
        case
            when p.symbol is not null then 'suspected_split'
            when s.sessions_spanned > 1 then 'gap'
            else 'ok'
        end
    )::varchar as quality -- ok, gap (a session is missing), suspected_split (see health)
from steps as s
left join derived.suspected_splits as p
    on p.symbol = s.symbol and p.date = s.date
