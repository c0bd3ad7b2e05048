-- SPDX-License-Identifier: Apache-2.0
-- about: The oracle of eod_asof, whose SQL ttapi makes of eod: the daily bars of one symbol as they could have been known on a day (its whole day, New York) or at
--   an instant (UTC): eod_asof('2020-03-20', 'SPY'). Reads raw by key and known_at. Where the bars known by
--   then show that the two sources are in different price bases, MetaStock's stand alone, as in eod.
create or replace macro eod_asof_by_hand(as_of, symbol) as table
with
asked as (
    select
        derived.end_of_knowledge(as_of) as until,
        (as_of)::date as day
),
files as (
    select
        b.date,
        b.open,
        b.high,
        b.low,
        b.close,
        b.volume,
        b.source,
        b.known_at
    from raw.metastock_bars as b
    join asked as k
        on b.known_at <= k.until and (b.replaced_at is null or b.replaced_at > k.until) and b.date <= k.day
    left join derived.units_asof(as_of, 'raw.metastock_bars') as u
        on u.unit_id = b.unit_id
    where b.symbol = upper(symbol) and b.per = 'D'
    qualify row_number() over (
        partition by b.date order by u.last_date desc nulls last, u.path desc nulls last, b.line desc nulls last
    ) = 1
),
candles as (
    select
        c.date,
        c.open,
        c.high,
        c.low,
        c.close,
        c.volume,
        'dxlink' as source,
        c.known_at
    from raw.dxlink_candles as c
    join asked as k
        on c.known_at <= k.until and (c.replaced_at is null or c.replaced_at > k.until) and c.date <= k.day
    where c.symbol = upper(symbol)
        and c.period = 'd'
    qualify row_number() over (
        partition by c.date order by c.tho, c.time desc, c.known_at desc, c.load_id desc
    ) = 1
),
-- What staged.basis_differences finds, of one symbol and by then.
pairs as (
    select
        c.date,
        b.close / c.close as ratio,
        abs(b.close - c.close) <= greatest(0.011, 0.002 * c.close) as is_same
    from candles as c
    join files as b
        on b.date = c.date
),
steps as (
    select
        p.date,
        p.is_same,
        coalesce(abs(p.ratio / lag(p.ratio) over by_date - 1) > 0.001 or p.is_same <> lag(p.is_same) over by_date, true) as is_break
    from pairs as p
    window by_date as (order by p.date)
),
numbered as (
    select
        s.is_same,
        count(case when s.is_break then 1 end) over (order by s.date rows unbounded preceding) as run_no
    from steps as s
),
runs as (
    select
        count(*) as bars,
        count(case when not n.is_same then 1 end) as differing
    from numbered as n
    group by n.run_no
),
bases as (
    select
        coalesce(
            max(r.differing) >= 3
            or max(r.differing) = sum(r.bars)
            or sum(r.differing) > 0.5 * sum(r.bars),
            false
        ) as are_different
    from runs as r
)
select
    upper(symbol)::varchar as symbol, -- upper case
    v.date::date as date, -- session date, New York
    v.open::double as open, -- USD per share; null: not given
    v.high::double as high, -- USD per share; null: not given
    v.low::double as low, -- USD per share; null: not given
    v.close::double as close, -- USD per share, greater than 0
    v.volume::double as volume, -- shares; null: not given
    v.source::varchar as source, -- where the bar comes from
    v.known_at::timestamp as known_at -- UTC; when the market could know this bar
from (
    select f.date, f.open, f.high, f.low, f.close, f.volume, f.source, f.known_at
    from files as f
    union all
    select c.date, c.open, c.high, c.low, c.close, c.volume, c.source, c.known_at
    from candles as c
    cross join bases as d
    where not d.are_different and c.date not in (select f.date from files as f)
) as v
order by v.date
