-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility at the money of each expiration of the newest chain, and the slope from 30 to 60 days.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
with
slopes as (
    select
        t.underlying,
        t.snapshot,
        max(case when t.days = 60 then t.implied_volatility end) - max(case when t.days = 30 then t.implied_volatility end) as slope
    from derived.tenor_implied as t
    where t.days in (30, 60)
    group by t.underlying, t.snapshot
)
select
    e.underlying::varchar as underlying,
    e.root::varchar as root,
    e.expiration_date::date as expiration_date,
    e.settlement::varchar as settlement,
    e.snapshot_at::timestamp as snapshot_at,
    e.dte_calendar::integer as dte_calendar,
    e.dte_trading::integer as dte_trading,
    e.spot::double as spot,
    e.forward::double as forward,
    e.forward_method::varchar as forward_method,
    e.rate::double as rate,
    e.atm_iv::double as implied_volatility, -- annualised fraction, at the forward; null: no quotes on both sides of it
    sqrt(e.variance)::double as model_free_volatility, -- annualised fraction, from all strikes as VIX does; null: too few
    s.slope::double as slope_60d_minus_30d, -- annualised fraction; null: either is not listed
    (s.slope > 0)::boolean as is_contango, -- true: 60 days are dearer than 30; null: not known
    e.contracts::bigint as contracts,
    e.quotes::bigint as quotes
from derived.latest_expirations as e
left join slopes as s
    on s.underlying = e.underlying and s.snapshot = e.snapshot
