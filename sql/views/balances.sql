-- SPDX-License-Identifier: Apache-2.0
-- about: What each account is worth now, a row a currency. Private: left out of exported databases.
-- kind: view
-- grain: account_number, currency
-- private: true
select
    b.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    b.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_balances as b
where b.is_current
