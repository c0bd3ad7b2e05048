-- SPDX-License-Identifier: Apache-2.0
-- about: Greeks of options as they were recorded of a stream, in the units of chain and bsm_greeks: theta a calendar day,
--   vega and rho per percent point; what the vendor sent stands beside.
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
    -- dxFeed's interface (the class Greeks) defines theta by a number of days to expiration, vega by percentage
    -- volatility, rho by percentage interest rate: the units of this house, so that nothing is multiplied.
    g.theta::double as theta, -- USD per share and calendar day, usually negative
    g.vega::double as vega, -- USD per share and volatility point
    g.rho::double as rho, -- USD per share and percent point of the rate
    g.volatility::double as vendor_implied_volatility, -- as dxFeed sent it; null: not said
    g.theta::double as vendor_theta, -- as dxFeed sent it; null: not said
    g.vega::double as vendor_vega, -- as dxFeed sent it; null: not said
    g.rho::double as vendor_rho, -- as dxFeed sent it; null: not said
    g.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    'dxlink'::varchar as source, -- who streamed it
    g.known_at::timestamp as known_at -- UTC, when it could be known: when it arrived
from raw.dxlink_greeks as g
where g.is_current
