-- SPDX-License-Identifier: Apache-2.0
-- about: Every future the vendor lists that still trades, of all months.
-- kind: view
-- grain: symbol
select
    f.symbol::varchar as symbol, -- the vendor's text: /ESZ6
    f.product_code::varchar as product_code, -- ES, without a slash
    f.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol: /ESZ26:XCME
    f.exchange::varchar as exchange, -- the vendor's: CME, CFE, SMALLS
    f.exchange_symbol::varchar as exchange_symbol, -- the exchange's text of the contract
    f.streamer_exchange_code::varchar as streamer_exchange_code, -- market identifier code, dxFeed's ending
    f.product_description::varchar as product_description, -- name of the product; null: not said
    f.product_group::varchar as product_group, -- the vendor's
    f.expiration_date::date as expiration_date, -- last day
    f.last_trade_date::date as last_trade_date, -- last day it trades
    f.first_notice_date::date as first_notice_date, -- from when on it may be delivered; null: settled in cash, or not said
    f.closing_only_date::date as closing_only_date, -- from when on it may only be closed; null: not said
    f.stops_trading_at::timestamp as stops_trading_at, -- UTC
    f.expires_at::timestamp as expires_at, -- UTC
    f.active::boolean as active, -- false: not traded any more
    f.active_month::boolean as active_month, -- true: the contract the vendor shows first
    f.next_active_month::boolean as next_active_month, -- true: the one after that
    f.is_closing_only::boolean as is_closing_only, -- true: may only be closed
    f.is_tradeable::boolean as is_tradeable, -- true: may be traded through the vendor; null: not said
    f.back_month_first_calendar_symbol::boolean as back_month_first_calendar_symbol, -- true: of a calendar spread the later month is named first
    f.roll_target_symbol::varchar as roll_target_symbol, -- the contract one rolls into; null: not said
    f.true_underlying_symbol::varchar as true_underlying_symbol, -- of a contract that follows another; null: not said
    f.tick_size::double as tick_size, -- smallest step of the price
    f.notional_multiplier::double as notional_multiplier, -- USD for a move of 1
    f.contract_size::double as contract_size, -- units of the underlying a contract stands for; null: not said
    f.display_factor::double as display_factor, -- by which the vendor's price is multiplied to be shown
    f.main_fraction::double as main_fraction, -- of prices quoted in fractions; 0: none
    f.sub_fraction::double as sub_fraction, -- of prices quoted in fractions; 0: none
    f.security_id::varchar as security_id, -- the exchange's number
    f.instrument_type::varchar as instrument_type, -- Future; null: the vendor leaves it out
    f.tick_sizes::varchar as tick_sizes, -- of the future: value, threshold
    f.option_tick_sizes::varchar as option_tick_sizes, -- of its options: value, threshold
    f.spread_tick_sizes::varchar as spread_tick_sizes, -- of its spreads: value, symbol
    f.future_etf_equivalent::varchar as future_etf_equivalent, -- the fund that moves alike, and how many shares of it
    f.future_product::varchar as future_product, -- the product as the vendor says it: months, roll, sector
    f.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    f.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_futures as f
where f.is_current
