-- SPDX-License-Identifier: Apache-2.0
-- about: Every best bid and ask that was recorded of a stream, in the order of arrival; one a symbol and second unless
--   [stream] interval says otherwise.
-- kind: view
-- grain: symbol, sequence
select
    q.symbol::varchar as symbol, -- as it was asked for: an underlying, or an option's 21 characters
    q.event_time::timestamp as event_time, -- UTC, the vendor's clock; null: not said
    q.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    q.received_at::timestamp as received_at, -- UTC, when it arrived here
    q.bid::double as bid, -- price per share or contract; null: no bid
    q.ask::double as ask, -- price per share or contract; null: no ask
    q.bid_size::double as bid_size, -- shares or contracts at the bid; null: unknown
    q.ask_size::double as ask_size, -- shares or contracts at the ask; null: unknown
    q.bid_exchange::varchar as market_center, -- the vendor's letter of the bid's exchange; null: not said
    q.ask_exchange::varchar as ask_market_center, -- the vendor's letter of the ask's exchange; null: not said
    null::varchar as conditions, -- null: dxFeed says none
    'dxlink'::varchar as source, -- who streamed it
    q.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
from raw.dxlink_quotes as q
where q.is_current
