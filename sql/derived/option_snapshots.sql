-- SPDX-License-Identifier: Apache-2.0
-- about: The snapshots of option chains. Stored: what is computed of quotes is rebuilt for the snapshots that change here, so
--   that a new rate or an announced dividend touches those it applies to and no others.
-- kind: table
-- grain: snapshot
-- check: not_null(snapshot, underlying, snapshot_at, date), unique(grain)
-- incremental: snapshot
with
-- When sessions open and close, as one number.
sessions as (
    select sum(hash(c.date, c.open_utc, c.close_utc)::hugeint)::varchar as version
    from derived.calendar as c
    where c.market = 'XNYS' and c.is_trading_day
),
-- Which rates hold on a date, as one number.
curves as (
    select
        r.date,
        r.until_date,
        sum(hash(r.tenor_from, r.tenor_to, r.rate_from, r.rate_to)::hugeint)::varchar as version
    from derived.rates_at(timestamp '9999-12-31') as r
    group by r.date, r.until_date
)
select
    s.snapshot::varchar as snapshot, -- underlying and instant
    s.symbol::varchar as underlying, -- upper case
    s.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    s.date::date as date, -- session they belong to, New York
    s.session_open::timestamp as session_open, -- UTC; its opening; null: before the calendar begins
    s.spot::double as spot, -- USD per share of the underlying; null: not said
    s.dividend_date::date as dividend_date, -- next ex-date that was announced then; null: none
    s.dividend::double as dividend, -- USD per share, paid then; null: none
    s.contracts::bigint as contracts, -- rows of contracts
    s.source::varchar as source, -- files or tastytrade
    s.known_at::timestamp as known_at, -- UTC; when the newest row of it was known
    (c.version || ' ' || n.version)::varchar as inputs_version -- changes with the rates and sessions that apply
from derived.snapshots_at(timestamp '9999-12-31', getvariable('rebuilt_keys')) as s
left join curves as c
    on s.date >= c.date and s.date < c.until_date
cross join sessions as n
