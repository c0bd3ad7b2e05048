-- SPDX-License-Identifier: Apache-2.0
-- about: Price of a European option by Black, Scholes and Merton (1973), in the currency of spot: bsm_price(100, 105,
--   0.25, 0.05, 0.02, 0.25, 'C') is 3.2393. Years to expiration; continuous rates and volatility as fractions a year.
--   At zero volatility or zero years the discounted intrinsic value. Null for inputs out of range.
-- kind: macro
create or replace macro bsm_price(spot, strike, years, rate, dividend_yield, volatility, option_type) as main.bsm_greeks(
    spot, strike, years, rate, dividend_yield, volatility, option_type
).price
