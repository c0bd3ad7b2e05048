-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price for one percentage point more of volatility: bsm_vega(100, 105, 0.25,
--   0.05, 0.02, 0.25, 'C') is 0.1915; bsm_vega_raw is for 1.00. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vega(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vega
