-- SPDX-License-Identifier: Apache-2.0
-- about: Candles that complete the MetaStock bars: of dates MetaStock has no bar of, and of symbols it does
--   not know, unless the two are in different price bases. Stored: an anti-join in staged.eod would make
--   every aggregate over 28 M bars pay for it.
-- kind: table
-- grain: symbol, date
-- check: not_null(symbol, date, close), unique(grain)
-- incremental: symbol
select
    c.symbol::varchar as symbol, -- upper case, dots between share classes
    c.date::date as date, -- session date, New York
    c.open::double as open, -- USD per share; null: not given
    c.high::double as high, -- USD per share; null: not given
    c.low::double as low, -- USD per share; null: not given
    c.close::double as close, -- USD per share, greater than 0
    c.volume::double as volume, -- shares; null: not given
    c.source::varchar as source, -- dxlink
    c.known_at::timestamp as known_at -- UTC; when the market could know this bar
from staged.candles as c
left join raw.metastock_bars as b
    on b.symbol = c.symbol and b.date = c.date and b.is_current and b.per = 'D'
left join (select distinct d.symbol from staged.basis_differences as d) as x
    on x.symbol = c.symbol
where b.symbol is null and x.symbol is null
order by c.symbol, c.date
