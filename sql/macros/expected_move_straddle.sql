-- SPDX-License-Identifier: Apache-2.0
-- about: 85 percent of the straddle at the money, in USD: expected_move_straddle(7.35) is 6.25.
-- kind: macro
create or replace macro expected_move_straddle(straddle) as (
    8.5e-1 * straddle
)
