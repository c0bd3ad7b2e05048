-- SPDX-License-Identifier: Apache-2.0
-- about: What happened in each account, oldest loads included. Private: left out of exported databases.
-- kind: view
-- grain: account_number, id
-- private: true
select
    t.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    t.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_transactions as t
where t.is_current
