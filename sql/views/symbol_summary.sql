-- SPDX-License-Identifier: Apache-2.0
-- about: Dispersion of the closing price over all history. It is no volatility: not scale-free, and a
--   split moves it. Kept for parity with aggregates people have from elsewhere.
-- kind: view
-- grain: symbol
select
    b.symbol::varchar as symbol, -- upper case
    stddev_pop(b.close)::double as close_std_pop, -- USD, population standard deviation of unadjusted closes
    avg(b.close)::double as mean_close, -- USD
    count(*)::bigint as n_days -- bars, more than 30
from staged.eod as b
group by b.symbol
having count(*) > 30
