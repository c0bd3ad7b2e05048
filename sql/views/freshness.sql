-- SPDX-License-Identifier: Apache-2.0
-- about: Verdict, age and due date of every dataset, as of this snapshot. Data is stale when
--   now() > due_at; ttapi status says the same of this moment.
-- kind: view
-- grain: dataset
select
    f.dataset::varchar as dataset, -- as in ttapi status
    f.kind::varchar as kind, -- raw, table, view or macro
    f.verdict::varchar as verdict, -- fresh, stale, missing, failed, blocked or not configured, when this snapshot was made
    f.reasons::varchar as reasons, -- why, separated by semicolons; empty: fresh
    f.root_asked_at::timestamp as root_asked_at, -- UTC; when the oldest of its root inputs was last compared with the world; null: never
    f.last_load_at::timestamp as last_load_at, -- UTC; when its content last changed; null: never
    f.due_at::timestamp as due_at, -- UTC; when it, or the first of its inputs, gets stale; null: no limit
    f.rows::bigint as rows, -- accepted or built rows; null: not stored
    f.error::varchar as error -- of the last attempt; null: it worked
from catalog.freshness as f
