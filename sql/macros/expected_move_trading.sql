-- SPDX-License-Identifier: Apache-2.0
-- about: One standard deviation of price in USD by trading time, spot x volatility x sqrt(sessions / 252):
--   expected_move_trading(100, 0.32, 31) is 11.22.
-- kind: macro
create or replace macro expected_move_trading(spot, implied_volatility, dte_trading) as (
    case when dte_trading >= 0 then spot * implied_volatility * sqrt(dte_trading / 2.52e2) end
)
