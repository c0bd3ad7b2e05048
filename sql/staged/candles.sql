-- SPDX-License-Identifier: Apache-2.0
-- about: dxFeed's daily candles, one per symbol and date: of all trading hours where both were asked for.
-- kind: view
-- grain: symbol, date
-- check: not_null(symbol, date, close), unique(grain)
select
    r.symbol::varchar as symbol, -- upper case, dots between share classes
    r.date::date as date, -- session date, New York
    r.open::double as open, -- USD per share; null: not given
    r.high::double as high, -- USD per share; null: not given
    r.low::double as low, -- USD per share; null: not given
    r.close::double as close, -- USD per share, greater than 0; of an open session the last price when it was loaded
    r.volume::double as volume, -- shares; null: not given, as of indices
    'dxlink'::varchar as source, -- where the bar comes from
    r.known_at::timestamp as known_at, -- UTC; when the market could know this bar
    r.time::timestamp as time, -- UTC, beginning of the candle as dxFeed aligns it
    r.tho::boolean as tho -- true: of regular trading hours only
from raw.dxlink_candles as r
where r.is_current and r.period = 'd'
qualify row_number() over (partition by r.symbol, r.date order by r.tho, r.time desc) = 1
