-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars adjusted for splits and dividends to the basis of the newest bar.
-- kind: view
-- grain: symbol, date
select
    v.symbol::varchar as symbol,
    v.date::date as date,
    v.adj_open::double as adj_open,
    v.adj_high::double as adj_high,
    v.adj_low::double as adj_low,
    v.adj_close::double as adj_close,
    v.adj_volume::double as adj_volume,
    v.split_factor::double as split_factor,
    v.dividend_factor::double as dividend_factor,
    v.close::double as close,
    v.source::varchar as source
from derived.eod_adjusted as v
