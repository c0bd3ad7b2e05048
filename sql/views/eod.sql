-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars, unadjusted, one row per symbol and date, the best source winning.
-- kind: view
-- grain: symbol, date
-- as_of: eod_asof(as_of, symbol): The daily bars of one symbol as they could have been known on a day (its whole
--   day, New York) or at an instant (UTC): eod_asof('2020-03-20', 'SPY'). Reads raw by key and known_at. Where the
--   bars known by then show that the two sources are in different price bases, MetaStock's stand alone, as in eod.
select v.*
from staged.eod as v
