-- SPDX-License-Identifier: Apache-2.0
-- about: The snapshots of option chains that were known at an instant (UTC): whose, when, of which session, with the price of
--   the underlying and the dividend that was announced when it was taken.
-- kind: macro
create or replace macro snapshots_at(known_until, snapshots) as table
with
taken as (
    select
        q.snapshot,
        q.symbol,
        q.snapshot_at,
        -- Its own row says the price of the underlying: the middle of its quote, else its mark or last trade.
        coalesce(
            max(
                case
                    when q.contract <> q.symbol then null
                    when q.underlying_price > 0 then q.underlying_price
                    when q.bid > 0 and q.ask >= q.bid then (q.bid + q.ask) / 2
                    when q.mark > 0 then q.mark
                    when q.last > 0 then q.last
                end
            ),
            median(case when q.contract <> q.symbol and q.underlying_price > 0 then q.underlying_price end)
        ) as price,
        count(*) filter (where q.contract <> q.symbol) as contracts,
        min(q.source) as source,
        max(q.known_at) as known_at
    from derived.option_quotes_at(known_until, snapshots) as q
    group by q.snapshot, q.symbol, q.snapshot_at
),
sessions as (
    select
        c.date,
        c.open_utc
    from derived.calendar as c
    where c.market = 'XNYS' and c.is_trading_day
),
placed as (
    select
        t.*,
        coalesce(s.date, t.snapshot_at::date) as date,
        s.open_utc
    from taken as t
    asof left join sessions as s
        on t.snapshot_at >= s.open_utc
),
announced as (
    select
        m.symbol,
        m.known_at,
        m.dividend_next_date as ex_date,
        m.dividend_rate_per_share as cash
    from raw.tastytrade_market_metrics as m
    where m.known_at <= known_until
        and (m.replaced_at is null or m.replaced_at > known_until)
        and m.dividend_next_date is not null
        and m.dividend_rate_per_share > 0
    union all
    select
        a.symbol,
        a.known_at,
        a.ex_date,
        a.cash
    from raw.corporate_actions as a
    where a.kind = 'dividend'
        and a.known_at <= known_until
        and (a.replaced_at is null or a.replaced_at > known_until)
        and a.known_at < a.ex_date::timestamp
),
-- Of what was announced by then, the next payment as it was said last.
next_ones as (
    select
        p.symbol,
        p.snapshot,
        min(n.ex_date) as ex_date,
        arg_min(n.cash, (n.ex_date, -epoch(n.known_at))) as cash
    from placed as p
    join announced as n
        on n.symbol = p.symbol and n.known_at <= p.snapshot_at and n.ex_date > p.date
    group by p.symbol, p.snapshot
)
select
    p.snapshot,
    p.symbol,
    p.snapshot_at,
    p.date,
    p.open_utc as session_open,
    case when p.price > 0 and isfinite(p.price) then p.price end as spot,
    n.ex_date as dividend_date,
    n.cash as dividend,
    p.contracts,
    p.source,
    p.known_at
from placed as p
left join next_ones as n
    on n.symbol = p.symbol and n.snapshot = p.snapshot
