-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_delta for one more of spot: bsm_gamma(100, 105, 0.25, 0.05, 0.02, 0.25, 'C') is 0.0306. Null
--   for inputs out of range.
-- kind: macro
create or replace macro bsm_gamma(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).gamma
