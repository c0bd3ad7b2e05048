-- SPDX-License-Identifier: Apache-2.0
-- about: Volatility from one term to a later one that the volatilities to both imply: forward_volatility_between(0.22, 24,
--   0.20, 52) is 0.1811. Terms in any one unit; null where total variance falls (calendar arbitrage) or the terms are not in order.
-- kind: macro
create or replace macro forward_volatility_between(volatility_1, term_1, volatility_2, term_2) as (
    case
        when term_2 > term_1
            and volatility_2 * volatility_2 * term_2 - volatility_1 * volatility_1 * term_1 >= 0
            then sqrt(
                (volatility_2 * volatility_2 * term_2 - volatility_1 * volatility_1 * term_1) / (term_2 - term_1)::double
            )
    end
)
