-- SPDX-License-Identifier: Apache-2.0
-- about: What the vendor finds for the beginning of a symbol: where prefix = 'AA'.
-- kind: view
-- grain: prefix, symbol
select
    s.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    s.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_symbol_search as s
where s.is_current
