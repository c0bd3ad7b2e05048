-- SPDX-License-Identifier: Apache-2.0
-- about: The newest Greeks of each option as recorded of a stream; greeks_history has their history.
-- kind: view
-- grain: symbol
select
    g.symbol::varchar as symbol,
    g.event_time::timestamp as event_time,
    g.received_at::timestamp as received_at,
    g.price::double as price,
    g.implied_volatility::double as implied_volatility,
    g.delta::double as delta,
    g.gamma::double as gamma,
    g.theta::double as theta,
    g.vega::double as vega,
    g.rho::double as rho,
    g.vendor_implied_volatility::double as vendor_implied_volatility,
    g.vendor_theta::double as vendor_theta,
    g.vendor_vega::double as vendor_vega,
    g.vendor_rho::double as vendor_rho,
    g.sequence::bigint as sequence,
    g.source::varchar as source,
    g.known_at::timestamp as known_at
from greeks_history as g
inner join (
    select
        n.symbol,
        max(n.sequence) as sequence
    from greeks_history as n
    group by n.symbol
) as newest
    on newest.symbol = g.symbol and newest.sequence = g.sequence
