-- SPDX-License-Identifier: Apache-2.0
-- about: Change of an option's price in one calendar day, the forward staying, by Black (1976). Null for inputs out
--   of range.
-- kind: macro
create or replace macro black76_theta(forward, strike, years, rate, volatility, option_type) as main.bsm_greeks(
    forward, strike, years, rate, rate, volatility, option_type
).theta
