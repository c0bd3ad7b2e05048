-- SPDX-License-Identifier: Apache-2.0
-- about: Every share, fund and index the vendor lists.
-- kind: view
-- grain: symbol
select
    s.symbol::varchar as symbol, -- the underlying, upper case, share class after a point
    s.instrument_type::varchar as instrument_type, -- Equity
    s.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol
    s.vendor_id::bigint as vendor_id, -- the vendor's number; null: not said
    s.description::varchar as description, -- name of the company or fund
    s.short_description::varchar as short_description, -- the same, short
    s.is_index::boolean as is_index, -- true: an index, which cannot be traded
    s.is_etf::boolean as is_etf, -- true: an exchange-traded fund
    s.instrument_sub_type::varchar as instrument_sub_type, -- the vendor's
    s.listed_market::varchar as listed_market, -- market identifier code
    s.cusip::varchar as cusip, -- CUSIP
    s.active::boolean as active, -- false: not traded any more
    s.is_illiquid::boolean as is_illiquid, -- the vendor's judgement
    s.is_closing_only::boolean as is_closing_only, -- true: may only be closed
    s.is_options_closing_only::boolean as is_options_closing_only, -- true: its options may only be closed
    s.is_fractional_quantity_eligible::boolean as is_fractional_quantity_eligible, -- true: fractions of a share trade
    s.is_fraud_risk::boolean as is_fraud_risk, -- the vendor's judgement
    s.bypass_manual_review::boolean as bypass_manual_review, -- the vendor's
    s.overnight_trading_permitted::boolean as overnight_trading_permitted, -- true: trades overnight
    s.lendability::varchar as lendability, -- Easy To Borrow, Locate Required, Preborrow
    s.borrow_rate::double as borrow_rate, -- as the vendor says it; null: unknown
    s.market_time_instrument_collection::varchar as market_time_instrument_collection, -- which hours apply
    s.halted_at::timestamp as halted_at, -- UTC; null: not halted
    s.stops_trading_at::timestamp as stops_trading_at, -- UTC; null: no end
    s.country_of_incorporation::varchar as country_of_incorporation, -- country
    s.country_of_taxation::varchar as country_of_taxation, -- country
    s.tick_sizes::varchar as tick_sizes, -- of the shares: value, threshold
    s.option_tick_sizes::varchar as option_tick_sizes, -- of its options: value, threshold
    s.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    s.vendor_symbol::varchar as vendor_symbol, -- the vendor's text: BRK/B
    s.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_symbols as s
where s.is_current
