-- SPDX-License-Identifier: Apache-2.0
-- about: The vendor's public lists of symbols; their names work as universes.
-- kind: view
-- grain: name, symbol
select
    w.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    w.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_watchlists as w
where w.is_current
