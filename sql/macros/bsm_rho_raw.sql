-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price for 1.00 more of the rate: bsm_rho_raw(100, 105, 0.25, 0.05, 0.02, 0.25,
--   'C') is 9.0015; bsm_rho is for a percentage point. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_rho_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).rho * 1e2
