-- SPDX-License-Identifier: Apache-2.0
-- about: Every expiration that the exchanges' rules give for each root, from its listing start to the end of the calendar. Stored: the rules take 60 ms, a reader of the table 5 ms.
-- kind: table
-- grain: root, expiration_date, settlement
-- ttl: 7d
-- check: not_null(root, expiration_date, settlement, kind, last_trade_date, listed_from, settle_utc), unique(grain)
with
days as (
    select c.*
    from derived.calendar as c
    where c.market = 'XNYS'
),
-- A Monday holiday moves a Monday expiration to the next session, any other day to the one before.
scheduled as (
    select
        'weekly' as kind,
        d.date as scheduled_date,
        case when d.iso_dow = 1 and not d.is_trading_day then d.next_session else d.session_on_or_before end as expiration_date
    from days as d
    where d.iso_dow <= 5
    union all
    select 'monthly', d.date, d.session_on_or_before
    from days as d
    where d.iso_dow = 5 and day(d.date) between 15 and 21
    union all
    select 'eom', d.date, d.date
    from days as d
    where d.is_month_end
    union all
    select 'quarterly', d.date, d.date
    from days as d
    where d.is_quarter_end
    union all
    -- 30 days before a Friday (the third: monthly), the session before where either day is none. Of
    -- the January after the calendar's end only New Year's Day can be a Friday without a session.
    select
        case when day(w.date + 30) between 15 and 21 then 'vix_monthly' else 'vix_weekly' end,
        w.date,
        case
            when w.is_trading_day and coalesce(f.is_trading_day, day(w.date + 30) <> 1) then w.date
            else w.prev_session
        end
    from days as w
    left join days as f
        on f.date = w.date + 30
    where w.iso_dow = 3
),
programmes as (
    select
        h.root,
        h.kind,
        h.settlement,
        h.iso_dow,
        h.month,
        case when d.is_trading_day then d.date else d.next_session end as listed_since,
        h.first_expiration,
        h.last_expiration,
        h.days_ahead,
        h.months_ahead
    from raw.listing_horizons as h
    join days as d
        on d.date = h.listed_since
    where h.is_current
),
-- The day a listing is due: days before the schedule, or the third Friday some months before it.
candidates as (
    select
        h.root,
        h.settlement,
        s.kind,
        s.scheduled_date,
        s.expiration_date,
        h.listed_since,
        h.days_ahead is null as is_after_anchor,
        (date_trunc('month', s.scheduled_date)::date - to_months(h.months_ahead))::date as anchor_month,
        s.scheduled_date - h.days_ahead as anchor_day
    from scheduled as s
    join programmes as h
        on h.kind = s.kind
        and s.expiration_date >= h.first_expiration
        and s.expiration_date <= coalesce(h.last_expiration, s.expiration_date)
        and (h.iso_dow is null or h.iso_dow = isodow(s.scheduled_date))
        and (h.month is null or h.month = month(s.scheduled_date))
),
anchored as (
    select
        c.*,
        case
            when c.is_after_anchor then c.anchor_month + ((12 - isodow(c.anchor_month)) % 7 + 14)::integer
            else c.anchor_day
        end as anchor
    from candidates as c
),
listed as (
    select
        a.root,
        a.settlement,
        a.kind,
        a.scheduled_date,
        a.expiration_date,
        min(greatest(
            a.listed_since,
            case when d.is_trading_day and not a.is_after_anchor then d.date else d.next_session end
        )) as listed_from
    from anchored as a
    join days as d
        on d.date = a.anchor
    group by all
),
-- One kind a key; of one kind twice, the one that was not moved here.
ranked as (
    select
        l.*,
        row_number() over (
            partition by l.root, l.expiration_date, l.settlement
            order by
                case l.kind when 'monthly' then 1 when 'quarterly' then 2 when 'eom' then 3 when 'vix_monthly' then 4 else 5 end,
                l.scheduled_date <> l.expiration_date,
                l.scheduled_date
        ) as rank_no
    from listed as l
)
select
    r.root::varchar as root, -- option root; EQUITY stands for every stock without a root of its own
    case r.root when 'SPXW' then 'SPX' when 'EQUITY' then null else r.root end::varchar as underlying, -- what the options are on; null: any stock
    r.expiration_date::date as expiration_date, -- session on which the options expire, New York
    r.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    case when r.root in ('SPX', 'SPXW', 'VIX') then 'E' else 'A' end::varchar as exercise_style, -- E: European; A: American
    r.kind::varchar as kind, -- first match of monthly, quarterly, eom, weekly; VIX: vix_monthly, vix_weekly
    (r.kind = 'monthly' and month(r.scheduled_date) = 1)::boolean as is_leaps, -- true: a January monthly, listed years ahead as LEAPS
    case when r.settlement = 'AM' then d.prev_session else d.date end::date as last_trade_date, -- last session on which the options trade
    case when r.settlement = 'AM' then d.open_utc else d.close_utc end::timestamp as settle_utc, -- UTC; opening of the settlement auction (AM) or end of trading (PM)
    r.scheduled_date::date as scheduled_date, -- where the rule puts it before holidays move it
    (r.scheduled_date <> r.expiration_date)::boolean as was_moved, -- true: a holiday moved it
    'rule'::varchar as source, -- rule: from the exchanges' rules; chain: seen in an option chain
    r.listed_from::date as listed_from, -- first session on which it is expected to be listed
    d.session_no::integer as session_no -- number of the expiration's XNYS session, as in calendar
from ranked as r
join days as d
    on d.date = r.expiration_date
where r.rank_no = 1
order by r.root, r.expiration_date, r.settlement
