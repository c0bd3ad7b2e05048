-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of an option on a forward or future by Black (1976), a fraction a year: black76_iv(19,
--   19, 0.75, 0.1, 1.7011, 'C') is 0.2800. Null where there is none; black76_iv_reason says why.
-- kind: macro
create or replace macro black76_iv(forward, strike, years, rate, price, option_type) as main.bsm_implied(
    forward, strike, years, rate, rate, price, option_type
).volatility
