-- SPDX-License-Identifier: Apache-2.0
-- about: Splits and cash dividends by ex-date.
-- kind: view
-- grain: symbol, ex_date, kind, cash
select
    v.symbol::varchar as symbol,
    v.ex_date::date as ex_date,
    v.kind::varchar as kind,
    v.ratio::double as ratio,
    v.cash::double as cash,
    v.known_at::timestamp as known_at
from staged.corporate_actions as v
