-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_delta in one year (not for one more year to expiration, which has the other sign):
--   bsm_charm_raw(100, 105, 0.25, 0.05, 0.02, 0.25, 'C') is -0.3849; bsm_charm is for a calendar day. Null for inputs
--   out of range.
-- kind: macro
create or replace macro bsm_charm_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).charm * 3.65e2
