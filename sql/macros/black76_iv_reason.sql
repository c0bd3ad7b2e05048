-- SPDX-License-Identifier: Apache-2.0
-- about: Why black76_iv is null, in the words of bsm_iv_reason; null where there is one.
-- kind: macro
create or replace macro black76_iv_reason(forward, strike, years, rate, price, option_type) as main.bsm_implied(
    forward, strike, years, rate, rate, price, option_type
).reason
