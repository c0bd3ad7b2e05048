-- SPDX-License-Identifier: Apache-2.0
-- about: Splits and cash dividends by ex-date.
-- kind: view
-- grain: symbol, ex_date, kind, cash
select v.*
from staged.corporate_actions as v
