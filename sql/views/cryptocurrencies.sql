-- SPDX-License-Identifier: Apache-2.0
-- about: Every cryptocurrency the vendor lists.
-- kind: view
-- grain: symbol
select
    c.symbol::varchar as symbol, -- the vendor's text: BTC/USD
    c.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol: BTC/USD:CXTALP
    c.vendor_id::bigint as vendor_id, -- the vendor's number
    c.instrument_type::varchar as instrument_type, -- Cryptocurrency
    c.short_description::varchar as short_description, -- name
    c.description::varchar as description, -- name of the pair
    c.active::boolean as active, -- false: not traded any more
    c.is_closing_only::boolean as is_closing_only, -- true: may only be closed
    c.tick_size::double as tick_size, -- USD, smallest step of the price
    c.destination_venue_symbols::varchar as destination_venue_symbols, -- where it can be traded: symbol, venue, precisions
    c.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    c.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_cryptocurrencies as c
where c.is_current
