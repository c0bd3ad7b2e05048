-- SPDX-License-Identifier: Apache-2.0
-- about: The newest bar of each symbol, with the change to the bar before on adjusted closes.
--   Stored: over 28 M bars the aggregate takes seconds, the table answers at once.
-- kind: table
-- grain: symbol
-- check: not_null(symbol, date, last), unique(grain)
-- incremental: symbol
with
newest as (
    select
        b.symbol,
        max(b.date) as date,
        arg_max(b.close, b.date) as last,
        arg_max(b.adj_close, b.date, 2) as closes
    from derived.eod_adjusted as b
    group by b.symbol
)
select
    n.symbol::varchar as symbol, -- upper case
    n.date::date as date, -- session date of the newest bar, New York
    n.last::double as last, -- USD, unadjusted close
    (n.closes[1] / nullif(n.closes[2], 0) - 1)::double as change -- fraction to the bar before, on adjusted closes; null: the only bar
from newest as n
