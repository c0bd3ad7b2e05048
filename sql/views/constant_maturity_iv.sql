-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of the newest chain at 7, 14, 30, 60, 90, 180 and 365 calendar days, straight in total variance
--   between the expirations on both sides.
-- kind: view
-- grain: underlying, days
select
    t.underlying::varchar as underlying,
    t.days::integer as days,
    t.snapshot_at::timestamp as snapshot_at,
    t.implied_volatility::double as implied_volatility,
    t.flat_implied_volatility::double as flat_implied_volatility,
    t.is_extrapolated::boolean as is_extrapolated,
    t.days_before::double as days_before,
    t.iv_before::double as iv_before,
    t.days_after::double as days_after,
    t.iv_after::double as iv_after
from derived.tenor_implied as t
join derived.latest_snapshots as l
    on l.underlying = t.underlying and l.snapshot = t.snapshot and l.snapshot_at = t.snapshot_at
