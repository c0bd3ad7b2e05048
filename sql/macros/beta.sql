-- SPDX-License-Identifier: Apache-2.0
-- about: Slope of a symbol's returns on a benchmark's over the last sessions that both have: beta('AAPL', 'SPY', 252). Null with
--   fewer than 20 of them, or where the benchmark did not move.
-- kind: macro
create or replace macro beta(symbol, benchmark, lookback) as (
    with
    asked as (
        select
            upper(symbol) as subject,
            upper(benchmark) as reference,
            lookback as sessions
    ),
    pairs as (
        select
            s.log_return as x,
            b.log_return as y
        from asked as a
        join derived.returns as s
            on s.symbol = a.subject
        join derived.returns as b
            on b.symbol = a.reference and b.date = s.date
        where s.sessions_spanned = 1 and b.sessions_spanned = 1
        qualify row_number() over (order by s.date desc) <= a.sessions
    )
    select case when count(*) >= 20 and var_samp(p.y) > 0 then covar_samp(p.x, p.y) / var_samp(p.y) end
    from pairs as p
)
