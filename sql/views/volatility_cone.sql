-- SPDX-License-Identifier: Apache-2.0
-- about: Where today's close-to-close volatility stands in its own history, per lookback (Burghardt-Lane cone).
-- kind: view
-- grain: symbol, lookback
select
    v.symbol::varchar as symbol,
    v.lookback::integer as lookback,
    v.min::double as min,
    v.q05::double as q05,
    v.q25::double as q25,
    v.q50::double as q50,
    v.q75::double as q75,
    v.q95::double as q95,
    v.max::double as max,
    v.current::double as current,
    v.current_rank::double as current_rank,
    v.n_obs::integer as n_obs
from derived.volatility_cone as v
