-- SPDX-License-Identifier: Apache-2.0
-- about: Delta of a European option, unscaled: the same as bsm_delta.
-- kind: macro
create or replace macro bsm_delta_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_delta(
    spot, strike, years, rate, dividend_yield, volatility, option_type
)
