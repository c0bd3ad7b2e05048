-- SPDX-License-Identifier: Apache-2.0
-- about: Greeks of options as they were recorded of a stream, in the vendor's numbers: theta a calendar day, vega and rho
--   per percent point.
-- kind: view
-- grain: symbol, sequence
select
    g.symbol::varchar as symbol, -- as it was asked for: an underlying, or an option's 21 characters
    g.event_time::timestamp as event_time, -- UTC, the vendor's clock; null: not said
    g.received_at::timestamp as received_at, -- UTC, when it arrived here
    g.price::double as price, -- dxFeed's price of the option; null: none
    g.volatility::double as implied_volatility, -- annualised fraction; null: none
    g.delta::double as delta, -- per share
    g.gamma::double as gamma, -- per share and USD
    g.theta::double as theta, -- USD a day and share
    g.vega::double as vega, -- USD per volatility point, as dxFeed says it
    g.rho::double as rho, -- USD per percent point, as dxFeed says it
    g.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    'dxlink'::varchar as source, -- who streamed it
    g.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
from raw.dxlink_greeks as g
where g.is_current
