-- SPDX-License-Identifier: Apache-2.0
-- about: Gamma of a European option, unscaled: the same as bsm_gamma.
-- kind: macro
create or replace macro bsm_gamma_raw(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_gamma(
    spot, strike, years, rate, dividend_yield, volatility, option_type
)
