-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of a European option with its Greeks as one value, worked out once: volatility, reason (why there is
--   none, see bsm_iv_reason) and greeks (see bsm_greeks), as in bsm_implied(100, 105, 0.25, 0.05, 0.02, 3.24, 'C').volatility.
-- kind: macro
create or replace macro bsm_implied(spot, strike, years, rate, dividend_yield, price, option_type) as derived.implied_of(
    spot, strike, years, rate, dividend_yield, price, option_type
)
