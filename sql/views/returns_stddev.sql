-- SPDX-License-Identifier: Apache-2.0
-- about: How far a symbol has moved over as many sessions as remain to each listed expiration, with the
--   price bands that follow. One row per symbol and expiration, as of the symbol's last bar.
-- kind: view
-- grain: symbol, root, expiration_date, settlement
select
    v.symbol::varchar as symbol,
    v.root::varchar as root,
    v.expiration_date::date as expiration_date,
    v.settlement::varchar as settlement,
    v.as_of::date as as_of,
    v.dte_calendar::integer as dte_calendar,
    v.dte_trading::integer as dte_trading,
    v.n_obs::integer as n_obs,
    v.n_independent::integer as n_independent,
    v.mean::double as mean,
    v.stddev::double as stddev,
    v.stddev_scaled::double as stddev_scaled,
    v.q05::double as q05,
    v.q10::double as q10,
    v.q25::double as q25,
    v.q50::double as q50,
    v.q75::double as q75,
    v.q90::double as q90,
    v.q95::double as q95,
    v.low_1s::double as low_1s,
    v.high_1s::double as high_1s,
    v.low_2s::double as low_2s,
    v.high_2s::double as high_2s,
    v.low_3s::double as low_3s,
    v.high_3s::double as high_3s,
    v.last_close::double as last_close,
    v.quality::varchar as quality
from derived.returns_stddev as v
