-- SPDX-License-Identifier: Apache-2.0
-- about: Every future the vendor lists that still trades, of all months.
-- kind: view
-- grain: symbol
select
    f.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    f.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_futures as f
where f.is_current
