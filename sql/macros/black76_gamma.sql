-- SPDX-License-Identifier: Apache-2.0
-- about: Change of black76_delta for one more of the forward. Null for inputs out of range.
-- kind: macro
create or replace macro black76_gamma(forward, strike, years, rate, volatility, option_type) as main.bsm_greeks(
    forward, strike, years, rate, rate, volatility, option_type
).gamma
