-- SPDX-License-Identifier: Apache-2.0
-- about: Realised volatility per symbol, session and lookback, seven estimators, annualised with 252 sessions.
--   A filter on lookback or on symbol reaches the scan.
-- kind: view
-- grain: symbol, date, lookback
select
    v.symbol::varchar as symbol, -- upper case
    v.date::date as date, -- session date, New York
    v.lookback::integer as lookback, -- sessions looked back over: 5 10 20 21 30 60 63 90 126 252
    v.n_obs::integer as n_obs, -- returns in the lookback
    v.n_gaps::integer as n_gaps, -- of these, returns that span a missing session
    v.close_to_close::double as close_to_close, -- annualised fraction, standard deviation of log returns, n - 1; null: the lookback is not full
    v.parkinson::double as parkinson, -- annualised fraction, Parkinson 1980; null: not full, or no valid range
    v.garman_klass::double as garman_klass, -- annualised fraction, Garman-Klass 1980 simple form; null also where its sum is negative
    v.garman_klass_yang_zhang::double as garman_klass_yang_zhang, -- annualised fraction, Garman-Klass with the overnight term
    v.rogers_satchell::double as rogers_satchell, -- annualised fraction, Rogers-Satchell 1991
    v.yang_zhang::double as yang_zhang, -- annualised fraction, Yang-Zhang 2000
    v.ewma::double as ewma, -- annualised fraction, lambda 0.94, recursion over the lookback's returns only, seeded with the first squared
    v.quality::varchar as quality -- ok, gap, invalid_bars (left out of range estimators), suspected_split, insufficient
from derived.volatility_rows(derived.standard_lookbacks()) as v
