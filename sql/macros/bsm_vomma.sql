-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_vega for one percentage point more of volatility: bsm_vomma(100, 105, 0.25, 0.05, 0.02, 0.25,
--   'C') is 0.0008; bsm_vomma_raw is that of bsm_vega_raw for 1.00. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vomma(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vomma
