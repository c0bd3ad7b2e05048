-- SPDX-License-Identifier: Apache-2.0
-- about: Price of a European option on a forward or future by Black (1976), in the currency of forward:
--   black76_price(19, 19, 0.75, 0.1, 0.28, 'C') is 1.7011. Years to expiration; continuous rate and volatility as
--   fractions a year. Null for inputs out of range.
-- kind: macro
create or replace macro black76_price(forward, strike, years, rate, volatility, option_type) as main.bsm_greeks(
    forward, strike, years, rate, rate, volatility, option_type
).price
