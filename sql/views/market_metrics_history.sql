-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility, its rank, liquidity, dividends and the next report per symbol, each update that
--   was loaded. The columns that end in _pct are percent, as the vendor says them; others are fractions.
-- kind: view
-- grain: symbol, updated_at
select
    m.* exclude (unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by),
    m.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_market_metrics as m
where m.is_current
