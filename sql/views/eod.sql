-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars, unadjusted, one row per symbol and date, the best source winning.
-- kind: view
-- grain: symbol, date
select
    v.symbol::varchar as symbol,
    v.date::date as date,
    v.open::double as open,
    v.high::double as high,
    v.low::double as low,
    v.close::double as close,
    v.volume::double as volume,
    v.source::varchar as source,
    v.known_at::timestamp as known_at
from staged.eod as v
