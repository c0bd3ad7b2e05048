-- SPDX-License-Identifier: Apache-2.0
-- about: What each account holds now. Private: left out of exported databases.
-- kind: view
-- grain: account_number, symbol, instrument_type
-- private: true
select
    p.account_number::varchar as account_number, -- the account
    p.symbol::varchar as symbol, -- the vendor's text of what is held
    p.instrument_type::varchar as instrument_type, -- Equity, Equity Option and the like
    p.underlying_symbol::varchar as underlying_symbol, -- the vendor's text of the underlying
    p.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol; null: not said
    p.quantity::double as quantity, -- shares or contracts, below zero: short
    p.quantity_direction::varchar as quantity_direction, -- Long, Short or Zero
    p.restricted_quantity::double as restricted_quantity, -- of them not free; shares or contracts
    p.multiplier::double as multiplier, -- shares a contract stands for, 1 for shares
    p.average_open_price::double as average_open_price, -- USD per share
    p.close_price::double as close_price, -- USD per share, last close
    p.mark::decimal(20,6) as mark, -- what the position is worth, USD
    p.mark_price::double as mark_price, -- USD per share
    p.average_yearly_market_close_price::double as average_yearly_market_close_price, -- USD per share
    p.average_daily_market_close_price::double as average_daily_market_close_price, -- USD per share
    p.fixing_price::double as fixing_price, -- USD per share; null: none
    p.cost_effect::varchar as cost_effect, -- Credit or Debit: what closing it would be
    p.is_suppressed::boolean as is_suppressed, -- true: hidden by the vendor
    p.is_frozen::boolean as is_frozen, -- true: cannot be traded
    p.deliverable_type::varchar as deliverable_type, -- of an adjusted option; null: none
    p.realized_day_gain::decimal(20,6) as realized_day_gain, -- a debit is below zero
    p.realized_day_gain_date::date as realized_day_gain_date, -- the day of that
    p.realized_today::decimal(20,6) as realized_today, -- a debit is below zero
    p.realized_today_date::date as realized_today_date, -- the day of that
    p.expires_at::timestamp as expires_at, -- UTC; null: never
    p.created_at::timestamp as created_at, -- UTC
    p.updated_at::timestamp as updated_at, -- UTC
    p.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    p.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_positions as p
where p.is_current
