-- SPDX-License-Identifier: Apache-2.0
-- about: The user's accounts, as the vendor says them. Private: left out of exported databases.
-- kind: view
-- grain: account_number
-- private: true
select
    a.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    a.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_accounts as a
where a.is_current
