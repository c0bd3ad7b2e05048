-- SPDX-License-Identifier: Apache-2.0
-- about: Volatility to a term between two others, straight in total variance. Terms in any one unit, days or minutes; null where the term does not lie between the two or a volatility is
--   missing.
-- kind: macro
create or replace macro volatility_at(volatility_1, term_1, volatility_2, term_2, term) as (
    case
        when not (term >= least(term_1, term_2) and term <= greatest(term_1, term_2) and term > 0) then null::double
        when term_1 = term_2 then (volatility_1 + volatility_2) / 2e0
        else sqrt(
            (
                volatility_1 * volatility_1 * term_1 * (term_2 - term)
                + volatility_2 * volatility_2 * term_2 * (term - term_1)
            ) / ((term_2 - term_1) * (term)::double)
        )
    end
)
