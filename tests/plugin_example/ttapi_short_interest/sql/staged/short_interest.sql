-- SPDX-License-Identifier: Apache-2.0
-- about: Shares sold short, one row per symbol and settlement date.
-- kind: view
-- grain: symbol, settlement_date
-- check: not_null(symbol, settlement_date), unique(grain), range(shares_short, 0, 1e15)
select
    r.symbol::varchar as symbol, -- upper case
    r.settlement_date::date as settlement_date, -- date the positions settled
    r.shares_short::bigint as shares_short, -- shares, 0 or more
    r.known_at::timestamp as known_at -- UTC
from raw.short_interest as r
where r.is_current
