-- SPDX-License-Identifier: Apache-2.0
-- about: Trading days of XNYS, CBOE_IDX and CFE from 1953 on: opening hours, holidays, session numbers, period ends and option expirations by rule. Trading-day arithmetic is a difference of session_no.
-- kind: view
-- grain: market, date
select
    c.market::varchar as market, -- XNYS, CBOE_IDX or CFE
    c.date::date as date, -- calendar date, New York; weekends and holidays included
    c.is_trading_day::boolean as is_trading_day, -- true: the market has a session
    c.open_utc::timestamp as open_utc, -- UTC; null: no session
    c.close_utc::timestamp as close_utc, -- UTC, last minute of trading where a halt ended the day; null: no session
    c.is_early_close::boolean as is_early_close, -- true: announced to end early; a halt is none
    c.is_late_open::boolean as is_late_open, -- true: began after its time
    c.holiday_name::varchar as holiday_name, -- why a weekday has no session; null: session or weekend
    c.session_no::integer as session_no, -- sessions from 1953-01-01 to date, inclusive; on other days that of the session before
    c.prev_session::date as prev_session, -- last session before date; null: before the first
    c.next_session::date as next_session, -- first session after date; null: after the calendar's end
    c.session_on_or_before::date as session_on_or_before, -- date itself where it is a session; null: before the first
    c.iso_dow::integer as iso_dow, -- Monday = 1 to Sunday = 7
    c.is_week_start::boolean as is_week_start, -- true: first session of the ISO week
    c.is_week_end::boolean as is_week_end, -- true: last session of the ISO week
    c.is_month_start::boolean as is_month_start, -- true: first session of the month
    c.is_month_end::boolean as is_month_end, -- true: last session of the month
    c.is_quarter_start::boolean as is_quarter_start, -- true: first session of the quarter
    c.is_quarter_end::boolean as is_quarter_end, -- true: last session of the quarter
    c.is_year_start::boolean as is_year_start, -- true: first session of the year
    c.is_year_end::boolean as is_year_end, -- true: last session of the year
    c.is_standard_monthly::boolean as is_standard_monthly, -- true: monthly options expire, the third Friday or the session before
    c.is_quad_witching::boolean as is_quad_witching, -- true: a standard monthly of March, June, September or December
    c.is_vix_expiration::boolean as is_vix_expiration, -- true: monthly VIX options and futures settle
    c.is_vix_weekly::boolean as is_vix_weekly -- true: VIX settles by the weekly rule, monthlies included, from before weeklies existed too
from derived.calendar as c
