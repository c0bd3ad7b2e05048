-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_delta for one percentage point more of volatility: bsm_vanna(100, 105, 0.25, 0.05, 0.02, 0.25,
--   'C') is 0.0060; bsm_vanna_raw is for 1.00. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vanna(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vanna
