-- SPDX-License-Identifier: Apache-2.0
-- about: Every cryptocurrency the vendor lists.
-- kind: view
-- grain: symbol
select
    c.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    c.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_cryptocurrencies as c
where c.is_current
