-- SPDX-License-Identifier: Apache-2.0
-- about: Volatility of one symbol over any lookback: volatility_over('SPY', 45). Columns as in volatility.
-- kind: macro
create or replace macro volatility_over(symbol, lookback) as table
select
    v.symbol::varchar as symbol,
    v.date::date as date,
    v.lookback::integer as lookback,
    v.n_obs::integer as n_obs,
    v.n_gaps::integer as n_gaps,
    v.close_to_close::double as close_to_close,
    v.parkinson::double as parkinson,
    v.garman_klass::double as garman_klass,
    v.garman_klass_yang_zhang::double as garman_klass_yang_zhang,
    v.rogers_satchell::double as rogers_satchell,
    v.yang_zhang::double as yang_zhang,
    v.ewma::double as ewma,
    v.quality::varchar as quality
from derived.volatility_rows([lookback]) as v
where v.symbol = upper(symbol)
