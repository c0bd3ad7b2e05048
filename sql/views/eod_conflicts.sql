-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars that lost to another bar of the same symbol and date, with the file and line of both,
--   and candles of a symbol that MetaStock quotes in another basis. The reason counts duplicates apart.
-- kind: view
-- grain: symbol, date, file, line
with
files as (
    select
        b.symbol,
        b.date,
        b.open,
        b.high,
        b.low,
        b.close,
        b.volume,
        b.source,
        u.key as file,
        b.line,
        w.source as winner_source,
        w.close as winner_close,
        x.key as winner_file,
        w.line as winner_line,
        b.known_at,
        case
            when (b.open, b.high, b.low, b.close, b.volume) is not distinct from (w.open, w.high, w.low, w.close, w.volume)
                then 'duplicate'
            else 'differs'
        end as reason
    from raw.metastock_bars as b
    join catalog.units as u
        on u.unit_id = b.unit_id and u.dataset = 'raw.metastock_bars'
    left join raw.metastock_bars as w
        on w.symbol = b.symbol and w.date = b.date and w.per = 'D' and w.is_current
    left join catalog.units as x
        on x.unit_id = w.unit_id and x.dataset = 'raw.metastock_bars'
    where not b.is_current and b.replaced_at is null and b.per = 'D'
),
candles as (
    select
        c.symbol,
        c.date,
        c.open,
        c.high,
        c.low,
        c.close,
        c.volume,
        c.source,
        c.symbol as file,
        null::integer as line,
        w.source as winner_source,
        w.close as winner_close,
        x.key as winner_file,
        w.line as winner_line,
        c.known_at,
        case
            when d.symbol is not null then d.finding
            -- Vendors give two to four decimals, so half a cent is rounding, and a millionth single precision.
            -- They count volume differently: it makes no bar another.
            when greatest(abs(w.open - c.open), abs(w.high - c.high), abs(w.low - c.low), abs(w.close - c.close))
                <= 0.005 + 0.000001 * c.close
                then 'duplicate'
            else 'differs'
        end as reason
    from staged.candles as c
    left join raw.metastock_bars as w
        on w.symbol = c.symbol and w.date = c.date and w.per = 'D' and w.is_current
    left join catalog.units as x
        on x.unit_id = w.unit_id and x.dataset = 'raw.metastock_bars'
    left join (
        select
            f.symbol,
            min(f.finding) as finding
        from staged.basis_differences as f
        group by f.symbol
    ) as d
        on d.symbol = c.symbol
    where w.symbol is not null or d.symbol is not null
)
select
    l.symbol::varchar as symbol, -- upper case
    l.date::date as date, -- session date, New York
    l.open::double as open, -- USD per share
    l.high::double as high, -- USD per share
    l.low::double as low, -- USD per share
    l.close::double as close, -- USD per share
    l.volume::double as volume, -- shares
    l.source::varchar as source, -- where the losing bar comes from
    l.file::varchar as file, -- its file; of a candle the symbol that was asked for
    l.line::integer as line, -- its line; null: a candle
    l.winner_close::double as winner_close, -- USD per share, the bar that stands; null: none does
    l.winner_file::varchar as winner_file, -- the file of the bar that stands; null: none does
    l.winner_line::integer as winner_line, -- its line; null: none does
    l.known_at::timestamp as known_at, -- UTC
    l.winner_source::varchar as winner_source, -- where the bar that stands comes from; null: none does
    l.reason::varchar as reason -- duplicate (says the same; of a candle: its prices do, but for rounding), differs, other price basis or other prices (see health)
from (
    select f.*
    from files as f
    union all
    select c.*
    from candles as c
) as l
