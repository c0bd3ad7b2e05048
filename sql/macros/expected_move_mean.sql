-- SPDX-License-Identifier: Apache-2.0
-- about: Mean absolute move of price in USD, sqrt(2 / pi) standard deviations, about what a straddle at the money costs:
--   expected_move_mean(100, 0.32, 45) is 8.96.
-- kind: macro
create or replace macro expected_move_mean(spot, implied_volatility, dte_calendar) as (
    case when dte_calendar >= 0 then sqrt(2e0 / pi()) * spot * implied_volatility * sqrt(dte_calendar / 3.65e2) end
)
