-- SPDX-License-Identifier: Apache-2.0
-- about: Change of bsm_delta in one calendar day: bsm_charm(100, 105, 0.25, 0.05, 0.02, 0.25, 'C') is -0.0011;
--   bsm_charm_raw is for a year of 365 days. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_charm(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).charm
