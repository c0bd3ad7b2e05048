-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price in one calendar day, usually negative: bsm_theta(100, 105, 0.25, 0.05,
--   0.02, 0.25, 'C') is -0.0290; bsm_theta_raw is for a year of 365 days. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_theta(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).theta
