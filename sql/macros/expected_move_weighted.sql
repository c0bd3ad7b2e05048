-- SPDX-License-Identifier: Apache-2.0
-- about: tastytrade's expected move in USD: 60 percent of the straddle at the money, 30 of the first strangle out of the money
--   and 10 of the second: expected_move_weighted(7.35, 5.20, 3.60) is 6.33.
-- kind: macro
create or replace macro expected_move_weighted(straddle, strangle_1, strangle_2) as (
    6e-1 * straddle + 3e-1 * strangle_1 + 1e-1 * strangle_2
)
