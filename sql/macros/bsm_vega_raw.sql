-- SPDX-License-Identifier: Apache-2.0
-- about: Change of a European option's price for 1.00 more of volatility: bsm_vega_raw(100, 105, 0.25, 0.05, 0.02,
--   0.25, 'C') is 19.1484; bsm_vega is for a percentage point. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_vega_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).vega * 1e2
