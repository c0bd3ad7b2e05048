-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_delta for 1.00 more of volatility: bsm_vanna_raw(100, 105, 0.25, 0.05, 0.02, 0.25, 'C') is
--   0.6018; bsm_vanna is for a percentage point. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vanna_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vanna * 1e2
