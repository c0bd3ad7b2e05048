-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price in one year, usually negative: bsm_theta_raw(100, 105, 0.25, 0.05, 0.02,
--   0.25, 'C') is -10.5896; bsm_theta is for a calendar day. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_theta_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).theta * 3.65e2
