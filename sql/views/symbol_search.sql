-- SPDX-License-Identifier: Apache-2.0
-- about: What the vendor finds for the beginning of a symbol: where prefix = 'AA'.
-- kind: view
-- grain: prefix, symbol
select
    s.prefix::varchar as prefix, -- what was searched for, as it was written
    s.symbol::varchar as symbol, -- what was found, in the vendor's text: BRK/B
    s.description::varchar as description, -- name of the company or fund
    s.listed_market::varchar as listed_market, -- market identifier code; null: not said
    s.instrument_type::varchar as instrument_type, -- Equity and the like; null: not said
    s.has_options::boolean as has_options, -- true: options are listed on it; null: not said
    s.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_symbol_search as s
where s.is_current
