-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price for one percentage point more of the rate: bsm_rho(100, 105, 0.25, 0.05,
--   0.02, 0.25, 'C') is 0.0900; bsm_rho_raw is for 1.00. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_rho(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).rho
