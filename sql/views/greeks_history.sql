-- SPDX-License-Identifier: Apache-2.0
-- about: Greeks of options as they were recorded of a stream, in the vendor's numbers: theta a calendar day, vega and rho
--   per percent point.
-- kind: view
-- grain: symbol, sequence
select
    g.symbol::varchar as symbol,
    g.event_time::timestamp as event_time,
    g.received_at::timestamp as received_at,
    g.price::double as price,
    g.volatility::double as implied_volatility,
    g.delta::double as delta,
    g.gamma::double as gamma,
    g.theta::double as theta,
    g.vega::double as vega,
    g.rho::double as rho,
    g.arrival::bigint as sequence, -- number of arrival: later events have larger ones
    'dxlink'::varchar as source, -- who streamed it
    g.known_at::timestamp as known_at
from raw.dxlink_greeks as g
where g.is_current
