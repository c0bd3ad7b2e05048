-- SPDX-License-Identifier: Apache-2.0
-- about: Symbols whose MetaStock bars and dxFeed candles cannot be one series: over a run of shared dates
--   one close is a constant multiple of the other (an unrecorded split, or adjusted prices), or they
--   disagree on most dates. Such a symbol is MetaStock's alone. Stored: every read of eod asks for it.
-- kind: table
-- grain: symbol, since
-- check: not_null(symbol, since, until, finding, ratio), unique(grain)
-- incremental: symbol
with
pairs as (
    select
        c.symbol,
        c.date,
        b.close / c.close as ratio,
        -- Two cents in ten dollars, and a cent of rounding, are no other basis.
        abs(b.close - c.close) <= greatest(0.011, 0.002 * c.close) as is_same
    from staged.candles as c
    join raw.metastock_bars as b
        on b.symbol = c.symbol and b.date = c.date and b.is_current and b.per = 'D'
),
steps as (
    select
        p.*,
        coalesce(abs(p.ratio / lag(p.ratio) over by_date - 1) > 0.001 or p.is_same <> lag(p.is_same) over by_date, true) as is_break
    from pairs as p
    window by_date as (partition by p.symbol order by p.date)
),
numbered as (
    select
        s.*,
        count(case when s.is_break then 1 end) over (partition by s.symbol order by s.date rows unbounded preceding) as run_no
    from steps as s
),
-- Dates in a row on which the two stand in the same ratio.
runs as (
    select
        n.symbol,
        n.is_same,
        min(n.date) as since,
        max(n.date) as until,
        count(*) as bars,
        median(n.ratio) as ratio
    from numbered as n
    group by n.symbol, n.run_no, n.is_same
),
weighed as (
    select
        r.*,
        sum(r.bars) over of_symbol as all_bars,
        sum(case when r.is_same then 0 else r.bars end) over of_symbol as differing,
        median(r.ratio) over of_symbol as usual_ratio,
        min(r.since) over of_symbol as first_date,
        max(r.until) over of_symbol as last_date
    from runs as r
    window of_symbol as (partition by r.symbol)
),
judged as (
    select
        w.*,
        not w.is_same and (w.bars >= 3 or w.bars = w.all_bars) as is_constant,
        w.differing > 0.5 * w.all_bars as is_at_odds,
        row_number() over (partition by w.symbol order by w.since) as place
    from weighed as w
),
ruled as (
    select
        j.*,
        bool_or(j.is_constant) over (partition by j.symbol) as has_constant
    from judged as j
)
select
    f.symbol::varchar as symbol, -- upper case
    case when f.is_constant then f.since else f.first_date end::date as since, -- first shared date that shows it
    case when f.is_constant then f.until else f.last_date end::date as until, -- last shared date that shows it
    case when f.is_constant then 'other price basis' else 'other prices' end::varchar as finding, -- other price basis (a constant ratio) or other prices (most dates disagree)
    case when f.is_constant then f.bars else f.differing end::bigint as bars, -- dates that show it
    case when f.is_constant then f.ratio else f.usual_ratio end::double as ratio -- MetaStock's close over dxFeed's, the median
from ruled as f
where f.is_constant or (f.is_at_odds and not f.has_constant and f.place = 1)
