-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_vega_raw for 1.00 more of volatility: bsm_vomma_raw(100, 105, 0.25, 0.05, 0.02, 0.25, 'C') is
--   8.0581; bsm_vomma is in percentage points. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vomma_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vomma * 1e4
