-- SPDX-License-Identifier: Apache-2.0
-- about: Splits and cash dividends by ex-date.
-- kind: view
-- check: not_null(symbol, ex_date, kind)
select
    a.symbol::varchar as symbol, -- upper case
    a.ex_date::date as ex_date, -- first session without the right
    a.kind::varchar as kind, -- split or dividend
    a.ratio::double as ratio, -- new shares per old one; null: a dividend
    a.cash::double as cash, -- USD per share on the share basis before ex_date; null: a split
    a.known_at::timestamp as known_at -- UTC; the open of ex_date where no announcement is known
from raw.corporate_actions as a
where a.is_current
