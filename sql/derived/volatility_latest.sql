-- SPDX-License-Identifier: Apache-2.0
-- about: The newest row of volatility per symbol and lookback. Stored: the windows over the last 253
--   bars of 15,798 symbols take 4 s, a reader of the table 30 ms.
-- kind: table
-- grain: symbol, lookback
-- check: not_null(symbol, lookback), unique(grain)
-- builder: ttapi.models.volatility_latest
-- incremental: symbol
select
    v.symbol::varchar as symbol, -- upper case
    v.date::date as date, -- the symbol's last session
    v.lookback::integer as lookback, -- sessions looked back over
    v.n_obs::integer as n_obs, -- returns in the lookback
    v.n_gaps::integer as n_gaps, -- of these, returns that span a missing session
    v.close_to_close::double as close_to_close, -- annualised fraction; null: the lookback is not full
    v.parkinson::double as parkinson, -- annualised fraction
    v.garman_klass::double as garman_klass, -- annualised fraction
    v.garman_klass_yang_zhang::double as garman_klass_yang_zhang, -- annualised fraction
    v.rogers_satchell::double as rogers_satchell, -- annualised fraction
    v.yang_zhang::double as yang_zhang, -- annualised fraction
    v.ewma::double as ewma, -- annualised fraction
    v.quality::varchar as quality -- as in volatility
from derived.volatility_rows(derived.standard_lookbacks()) as v
qualify row_number() over (partition by v.symbol, v.lookback order by v.date desc) = 1
