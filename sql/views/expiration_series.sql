-- SPDX-License-Identifier: Apache-2.0
-- about: Every option expiration per root, past and to come: kind, settlement, last trading day, and whether a holiday moved it. By the exchanges' rules, and as the chains have them that were loaded; where both do the row is the rule's. Key on root, date and settlement: two SPX series expire on a third Friday.
-- kind: view
-- grain: root, expiration_date, settlement
with
chains as (
    select
        s.root,
        s.expiration_date,
        s.settlement,
        max(s.symbol) as underlying,
        max(s.kind) as kind,
        max(s.rule_root) as rule_root,
        max(s.vendor_expiration_date) as vendor_expiration_date,
        min(s.first_seen_at) as first_seen_at
    from staged.chain_expirations as s
    group by s.root, s.expiration_date, s.settlement
),
chain_only as (
    select
        c.root,
        c.underlying,
        c.expiration_date,
        c.settlement,
        case when c.rule_root in ('SPX', 'SPXW', 'VIX') then 'E' when c.rule_root is not null then 'A' end as exercise_style,
        c.kind,
        c.kind = 'monthly' and month(c.expiration_date) = 1 as is_leaps,
        case when c.settlement = 'AM' then d.prev_session else c.expiration_date end as last_trade_date,
        case when c.settlement = 'AM' then d.open_utc else d.close_utc end as settle_utc,
        coalesce(r.scheduled_date, c.vendor_expiration_date) as scheduled_date,
        coalesce(r.scheduled_date, c.vendor_expiration_date) <> c.expiration_date as was_moved,
        coalesce(f.date, c.first_seen_at::date) as listed_from,
        d.session_no
    from chains as c
    left join derived.calendar as d
        on d.market = 'XNYS' and d.date = c.expiration_date
    left join derived.calendar as f
        on f.market = 'XNYS' and f.date = (timezone('America/New_York', timezone('UTC', c.first_seen_at)))::date
    left join derived.expiration_series as o
        on o.root = c.root and o.expiration_date = c.expiration_date and o.settlement = c.settlement
    left join derived.expiration_series as r
        on r.root = c.rule_root and r.expiration_date = c.expiration_date and r.settlement = c.settlement
    where o.root is null
)
select
    e.root::varchar as root, -- EQUITY (every stock without a root of its own), SPX, SPXW, SPY, QQQ or VIX, and every root of a chain that was loaded
    e.underlying::varchar as underlying, -- what the options are on; null: any stock
    e.expiration_date::date as expiration_date, -- session on which the options expire, New York
    e.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    e.exercise_style::varchar as exercise_style, -- E: European; A: American; null: not known
    e.kind::varchar as kind, -- first match of monthly, quarterly, eom, weekly; VIX: vix_monthly, vix_weekly; null: the vendor says another word
    e.is_leaps::boolean as is_leaps, -- true: a January monthly, listed years ahead as LEAPS
    e.last_trade_date::date as last_trade_date, -- last session on which the options trade
    e.settle_utc::timestamp as settle_utc, -- UTC; opening of the settlement auction (AM) or end of trading (PM); null: after the calendar's end
    e.scheduled_date::date as scheduled_date, -- where the rule puts it before holidays move it, else as the vendor says it
    e.was_moved::boolean as was_moved, -- true: a holiday moved it
    e.source::varchar as source, -- chain: seen in an option chain; rule: by the exchanges' rules alone
    e.listed_from::date as listed_from, -- first session on which it is expected to be listed; of a chain without a rule the day it was first seen
    e.session_no::integer as session_no -- number of the expiration's XNYS session, as in calendar; null: after its end
from (
    select
        r.root,
        r.underlying,
        r.expiration_date,
        r.settlement,
        r.exercise_style,
        r.kind,
        r.is_leaps,
        r.last_trade_date,
        r.settle_utc,
        r.scheduled_date,
        r.was_moved,
        case when c.root is null then 'rule' else 'chain' end as source,
        r.listed_from,
        r.session_no
    from derived.expiration_series as r
    left join chains as c
        on c.root = r.root and c.expiration_date = r.expiration_date and c.settlement = r.settlement
    union all
    select
        o.root,
        o.underlying,
        o.expiration_date,
        o.settlement,
        o.exercise_style,
        o.kind,
        o.is_leaps,
        o.last_trade_date,
        o.settle_utc,
        o.scheduled_date,
        o.was_moved,
        'chain',
        o.listed_from,
        o.session_no
    from chain_only as o
) as e
