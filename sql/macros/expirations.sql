-- SPDX-License-Identifier: Apache-2.0
-- about: The expirations of one root that are listed on a day: expirations('2025-04-01', 'SPX'). The root is matched in upper case; a day outside the calendar gives no rows.
-- kind: macro
-- grain: root, expiration_date, settlement
create or replace macro expirations(as_of, root) as table
select
    e.root::varchar as root, -- EQUITY (every stock without a root of its own), SPX, SPXW, SPY, QQQ or VIX
    e.underlying::varchar as underlying, -- what the options are on; null: any stock
    e.expiration_date::date as expiration_date, -- session on which the options expire, New York
    e.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    e.exercise_style::varchar as exercise_style, -- E: European; A: American
    e.kind::varchar as kind, -- first match of monthly, quarterly, eom, weekly; VIX: vix_monthly, vix_weekly
    e.is_leaps::boolean as is_leaps, -- true: a January monthly, listed years ahead as LEAPS
    e.last_trade_date::date as last_trade_date, -- last session on which the options trade
    e.settle_utc::timestamp as settle_utc, -- UTC; opening of the settlement auction (AM) or end of trading (PM)
    e.scheduled_date::date as scheduled_date, -- where the rule puts it before holidays move it
    e.was_moved::boolean as was_moved, -- true: a holiday moved it
    e.source::varchar as source, -- chain: seen in an option chain; rule: by the exchanges' rules alone
    e.listed_from::date as listed_from, -- first session on which it is expected to be listed
    e.session_no::integer as session_no, -- number of the expiration's XNYS session, as in calendar
    date_diff('day', c.date, e.expiration_date)::integer as dte_calendar, -- calendar days from as_of to the expiration
    (e.session_no - c.session_no)::integer as dte_trading -- sessions after as_of, up to and with the expiration
from main.expiration_series as e
join derived.calendar as c
    on c.market = 'XNYS'
    and c.date = as_of::date
    and e.listed_from <= c.date
    and e.expiration_date >= c.date
where e.root = upper(root)
order by e.expiration_date, e.settlement
