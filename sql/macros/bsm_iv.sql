-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of a European option, a fraction a year: bsm_iv(100, 105, 0.25, 0.05, 0.02, 3.24, 'C') is
--   0.2500. Null where there is none; bsm_iv_reason says why. For American options see black76_iv.
-- kind: macro
create or replace macro bsm_iv(spot, strike, years, rate, dividend_yield, price, option_type) as main.bsm_implied(
    spot, strike, years, rate, dividend_yield, price, option_type
).volatility
