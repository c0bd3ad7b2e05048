-- SPDX-License-Identifier: Apache-2.0
-- about: The daily bars of one symbol as they could have been known on a day (its whole day, New York) or at
--   an instant (UTC): eod_asof('2020-03-20', 'SPY'). Reads raw by key and known_at. A symbol whose sources
--   were found in different price bases is MetaStock's alone, whenever that was found.
-- kind: macro
create or replace macro eod_asof(as_of, symbol) as table
with
asked as (
    select
        -- A bare date means the end of that day: its bar is known at the close, before midnight UTC.
        case
            when (as_of)::timestamp = (as_of)::date::timestamp then ((as_of)::date + 1)::timestamp
            else (as_of)::timestamp
        end as until,
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
    left join catalog.units as u
        on u.unit_id = b.unit_id and u.dataset = 'raw.metastock_bars'
    where b.symbol = upper(symbol) and b.per = 'D'
    qualify row_number() over (
        partition by b.date order by u.last_date desc, u.key desc, b.line desc
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
        and c.symbol not in (select d.symbol from staged.basis_differences as d)
    qualify row_number() over (
        partition by c.date order by c.tho, c.time desc, c.known_at desc, c.load_id desc
    ) = 1
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
    where c.date not in (select f.date from files as f)
) as v
order by v.date
