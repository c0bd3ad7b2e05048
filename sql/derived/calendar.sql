-- SPDX-License-Identifier: Apache-2.0
-- about: Every calendar date of every market: sessions, their numbers and neighbours, and the days on which options expire by rule. Stored, because the running counts over 83,000 rows take 0.2 s and every other model joins to them.
-- kind: table
-- grain: market, date
-- ttl: 7d
-- check: not_null(market, date, is_trading_day, session_no), unique(grain), range(session_no, 0, 30000), range(iso_dow, 1, 7)
with
days as (
    select
        c.market,
        c.date,
        c.is_trading_day,
        c.open_utc,
        c.close_utc,
        c.is_early_close,
        c.is_late_open,
        c.holiday_name,
        isodow(c.date)::integer as iso_dow,
        case when c.is_trading_day then c.date end as session_date
    from raw.calendar_days as c
    where c.is_current
),
neighbours as (
    select
        d.*,
        count(d.session_date) over running as session_no,
        max(d.session_date) over running as session_on_or_before,
        max(d.session_date) over earlier as prev_session,
        min(d.session_date) over later as next_session
    from days as d
    window
        running as (partition by d.market order by d.date rows unbounded preceding),
        earlier as (partition by d.market order by d.date rows between unbounded preceding and 1 preceding),
        later as (partition by d.market order by d.date rows between 1 following and unbounded following)
),
-- The calendar begins on 1 January and ends on 31 December: only weeks are cut at its ends.
periods as (
    select
        n.*,
        n.is_trading_day and coalesce(n.prev_session <= n.date - n.iso_dow, n.iso_dow = 1) as is_week_start,
        n.is_trading_day and coalesce(n.next_session > n.date - n.iso_dow + 7, n.iso_dow = 5) as is_week_end,
        n.is_trading_day and coalesce(month(n.prev_session) <> month(n.date), true) as is_month_start,
        n.is_trading_day and coalesce(month(n.next_session) <> month(n.date), true) as is_month_end,
        n.is_trading_day and coalesce(quarter(n.prev_session) <> quarter(n.date), true) as is_quarter_start,
        n.is_trading_day and coalesce(quarter(n.next_session) <> quarter(n.date), true) as is_quarter_end,
        n.is_trading_day and coalesce(year(n.prev_session) <> year(n.date), true) as is_year_start,
        n.is_trading_day and coalesce(year(n.next_session) <> year(n.date), true) as is_year_end
    from neighbours as n
),
third_fridays as (
    select
        p.market,
        p.date,
        p.session_on_or_before as expiration_date
    from periods as p
    where p.iso_dow = 5 and day(p.date) between 15 and 21
),
-- VIX expires 30 days before a Friday; the session before where either day is none. Of the
-- January after the calendar's end only New Year's Day can be a Friday without a session.
vix_expirations as (
    select
        w.market,
        case
            when w.is_trading_day and coalesce(f.is_trading_day, day(w.date + 30) <> 1) then w.date
            else w.prev_session
        end as expiration_date,
        max(day(w.date + 30) between 15 and 21) as is_monthly
    from periods as w
    left join periods as f
        on f.market = w.market and f.date = w.date + 30
    where w.iso_dow = 3
    group by all
)
select
    p.market::varchar as market, -- XNYS, CBOE_IDX or CFE
    p.date::date as date, -- calendar date, New York; weekends and holidays included
    p.is_trading_day::boolean as is_trading_day, -- true: the market has a session
    p.open_utc::timestamp as open_utc, -- UTC; null: no session
    p.close_utc::timestamp as close_utc, -- UTC, last minute of trading where a halt ended the day; null: no session
    p.is_early_close::boolean as is_early_close, -- true: announced to end early; a halt is none
    p.is_late_open::boolean as is_late_open, -- true: began after its time
    p.holiday_name::varchar as holiday_name, -- why a weekday has no session; null: session or weekend
    p.session_no::integer as session_no, -- sessions from 1953-01-01 to date, inclusive; on other days that of the session before
    p.prev_session::date as prev_session, -- last session before date; null: before the first
    p.next_session::date as next_session, -- first session after date; null: after the calendar's end
    p.session_on_or_before::date as session_on_or_before, -- date itself where it is a session; null: before the first
    p.iso_dow::integer as iso_dow, -- Monday = 1 to Sunday = 7
    p.is_week_start::boolean as is_week_start, -- true: first session of the ISO week
    p.is_week_end::boolean as is_week_end, -- true: last session of the ISO week
    p.is_month_start::boolean as is_month_start, -- true: first session of the month
    p.is_month_end::boolean as is_month_end, -- true: last session of the month
    p.is_quarter_start::boolean as is_quarter_start, -- true: first session of the quarter
    p.is_quarter_end::boolean as is_quarter_end, -- true: last session of the quarter
    p.is_year_start::boolean as is_year_start, -- true: first session of the year
    p.is_year_end::boolean as is_year_end, -- true: last session of the year
    (t.date is not null)::boolean as is_standard_monthly, -- true: monthly options expire, the third Friday or the session before
    (t.date is not null and month(p.date) in (3, 6, 9, 12))::boolean as is_quad_witching, -- true: a standard monthly of March, June, September or December
    coalesce(v.is_monthly, false)::boolean as is_vix_expiration, -- true: monthly VIX options and futures settle
    (v.expiration_date is not null)::boolean as is_vix_weekly -- true: VIX settles by the weekly rule, monthlies included, from before weeklies existed too
from periods as p
left join third_fridays as t
    on t.market = p.market and t.expiration_date = p.date
left join vix_expirations as v
    on v.market = p.market and v.expiration_date = p.date
order by p.market, p.date
