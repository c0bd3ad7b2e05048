-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars adjusted for splits and dividends to the basis of the newest bar.
-- kind: view
-- grain: symbol, date
select v.*
from derived.eod_adjusted as v
