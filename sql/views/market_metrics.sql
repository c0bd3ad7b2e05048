-- SPDX-License-Identifier: Apache-2.0
-- about: The newest market metrics of each symbol: implied volatility, its rank, liquidity, dividends, the
--   next report. The columns that end in _pct are percent, as the vendor says them; others are fractions.
-- kind: view
-- grain: symbol
select m.*
from main.market_metrics_history as m
qualify row_number() over (partition by m.symbol order by m.updated_at desc) = 1
