-- SPDX-License-Identifier: Apache-2.0
-- about: How far a symbol has moved over as many sessions as remain to each listed expiration, with the
--   price bands that follow. One row per symbol and expiration, as of the symbol's last bar.
-- kind: view
-- grain: symbol, root, expiration_date, settlement
select v.*
from derived.returns_stddev as v
