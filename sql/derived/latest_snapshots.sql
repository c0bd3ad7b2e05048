-- SPDX-License-Identifier: Apache-2.0
-- about: The newest snapshot of each underlying's option chain.
-- kind: view
-- grain: underlying
select
    s.underlying::varchar as underlying, -- upper case
    s.snapshot::varchar as snapshot, -- underlying and instant
    s.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    s.date::date as date -- session they belong to, New York
from derived.option_snapshots as s
qualify row_number() over (partition by s.underlying order by s.snapshot_at desc, s.snapshot desc) = 1
