-- SPDX-License-Identifier: Apache-2.0
-- about: Volatility to a term between two others, straight in total variance: interpolated_volatility(0.22, 24, 0.20, 52, 30)
--   is 0.2128. Terms in any one unit, days or minutes; null where the term does not lie between the two or a volatility is
--   missing.
-- kind: macro
create or replace macro interpolated_volatility(volatility_1, term_1, volatility_2, term_2, term) as derived.volatility_at(
    volatility_1, term_1, volatility_2, term_2, term
)
