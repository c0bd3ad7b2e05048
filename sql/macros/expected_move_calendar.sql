-- SPDX-License-Identifier: Apache-2.0
-- about: One standard deviation of price in USD by calendar time, spot x volatility x sqrt(days / 365):
--   expected_move_calendar(100, 0.32, 45) is 11.24.
-- kind: macro
create or replace macro expected_move_calendar(spot, implied_volatility, dte_calendar) as (
    case when dte_calendar >= 0 then spot * implied_volatility * sqrt(dte_calendar / 3.65e2) end
)
