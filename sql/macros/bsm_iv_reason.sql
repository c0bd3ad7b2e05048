-- SPDX-License-Identifier: Apache-2.0
-- about: Why bsm_iv is null: 'no option type' (neither C nor P), 'no spot', 'no strike', 'no expiration', 'expired',
--   'no rate', 'no price' (missing, zero or negative), 'below intrinsic' (at or below the discounted intrinsic
--   value), 'above upper bound' (at or above the discounted spot of a call, strike of a put), 'vega too small' (below
--   1e-8 for 1.00 of volatility: the price does not tell). Null where there is one.
-- kind: macro
create or replace macro bsm_iv_reason(spot, strike, years, rate, dividend_yield, price, option_type) as main.bsm_implied(
    spot, strike, years, rate, dividend_yield, price, option_type
).reason
