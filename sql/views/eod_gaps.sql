-- SPDX-License-Identifier: Apache-2.0
-- about: Sessions inside the life of a symbol of which no source has a bar, a row a run of them. Name a
--   symbol where you can: over all of them it compares 28 M bars.
-- kind: view
-- grain: symbol, from_date
with
bars as (
    select
        b.symbol,
        b.date,
        lag(b.date) over by_date as bar_before,
        lag(c.next_session) over by_date as from_date,
        c.prev_session as to_date,
        c.session_no - lag(c.session_no) over by_date - 1 as missing
    from staged.eod as b
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = b.date and c.is_trading_day
    window by_date as (partition by b.symbol order by b.date)
)
select
    g.symbol::varchar as symbol, -- upper case
    g.from_date::date as from_date, -- first missing session, New York
    g.to_date::date as to_date, -- last missing session
    g.missing::integer as sessions, -- how many
    g.bar_before::date as bar_before, -- the last bar before them
    g.date::date as bar_after -- the first bar after them
from bars as g
where g.missing > 0
