-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars as the best source says them, one row per symbol and date, prices unadjusted:
--   MetaStock's, and dxFeed's where MetaStock has none. A view over raw: the store marks the one current
--   row of each grain while it loads, so no second copy of the bars is kept and an aggregate over all of
--   them costs what bare storage costs.
-- kind: view
-- grain: symbol, date
-- check: not_null(symbol, date, close), unique(grain)
select
    b.symbol::varchar as symbol, -- upper case, dots between share classes
    b.date::date as date, -- session date, New York
    b.open::double as open, -- USD per share; null: not given
    b.high::double as high, -- USD per share; null: not given
    b.low::double as low, -- USD per share; null: not given
    b.close::double as close, -- USD per share, greater than 0
    b.volume::double as volume, -- shares; null: not given
    b.source::varchar as source, -- where the bar comes from: metastock, synthetic or dxlink
    b.known_at::timestamp as known_at -- UTC; when the market could know this bar
from raw.metastock_bars as b
where b.is_current and b.per = 'D'
union all
select
    c.symbol::varchar as symbol,
    c.date::date as date,
    c.open::double as open,
    c.high::double as high,
    c.low::double as low,
    c.close::double as close,
    c.volume::double as volume,
    c.source::varchar as source,
    c.known_at::timestamp as known_at
from staged.eod_completions as c
