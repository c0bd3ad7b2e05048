-- SPDX-License-Identifier: Apache-2.0
-- about: Every share, fund and index the vendor lists.
-- kind: view
-- grain: symbol
select
    s.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    s.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_symbols as s
where s.is_current
