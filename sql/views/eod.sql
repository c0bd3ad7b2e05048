-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars, unadjusted, one row per symbol and date, the best source winning.
-- kind: view
-- grain: symbol, date
select v.*
from staged.eod as v
