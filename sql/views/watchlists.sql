-- SPDX-License-Identifier: Apache-2.0
-- about: The vendor's public lists of symbols; their names work as universes.
-- kind: view
-- grain: name, symbol
select
    w.name::varchar as name, -- of the list
    w.symbol::varchar as symbol, -- the underlying, upper case, share class after a point
    w.group_name::varchar as group_name, -- the vendor's group of lists; null: none
    w.instrument_type::varchar as instrument_type, -- Equity and the like; null: not said
    w.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_watchlists as w
where w.is_current
