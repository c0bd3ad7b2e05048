-- SPDX-License-Identifier: Apache-2.0
-- about: What each account holds now. Private: left out of exported databases.
-- kind: view
-- grain: account_number, symbol, instrument_type
-- private: true
select
    p.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    p.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_positions as p
where p.is_current
