-- SPDX-License-Identifier: Apache-2.0
-- about: Price and Greeks of a European option, in the units of bsm_greeks, out of columns a caller has at hand. A call
--   has side 1, a put -1; spot_value is spot times carry = exp(-dividend_yield * years), strike_value strike times
--   exp(-rate * years); n1 and n2 are the normal distribution at side * d1 and side * d2, density that of d1;
--   per_deviation is 1 / (volatility * sqrt(years)), without deviation 0, and null at the forward.
-- kind: macro
create or replace macro greeks_of(
    side, spot, years, rate, yield, volatility, carry, spot_value, strike_value, d1, d2, n1, n2, density, per_deviation
) as {
    'price': case when volatility is not null then greatest(0e0, side * (spot_value * n1 - strike_value * n2)) end,
    'delta': side * carry * n1,
    'gamma': carry * density * per_deviation / spot,
    'vega': spot_value * density * sqrt(years) / 1e2,
    'theta': (
        side * (yield * spot_value * n1 - rate * strike_value * n2)
        - spot_value * density * volatility * volatility * per_deviation / 2e0
    ) / 3.65e2,
    'rho': side * years * strike_value * n2 / 1e2,
    'vanna': -carry * density * d2 * sqrt(years) * per_deviation / 1e2,
    'vomma': spot_value * density * years * d1 * d2 * per_deviation / 1e4,
    'charm': (
        side * yield * carry * n1
        - carry * density * per_deviation * (rate - yield)
        + carry * density * (volatility * per_deviation) * (d2 * (volatility * per_deviation) / 2e0)
    ) / 3.65e2
}
