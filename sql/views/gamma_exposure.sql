-- SPDX-License-Identifier: Apache-2.0
-- about: What dealers would have to trade for a move of 1 percent, if they were long all calls and short all puts, per
--   expiration of the newest chain. Positive: against the move.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
with
expirations as (
    select
        i.underlying,
        i.root,
        i.expiration_date,
        i.settlement,
        any_value(i.snapshot_at) as snapshot_at,
        any_value(i.date) as date,
        any_value(i.spot) as spot,
        sum(i.gamma * i.open_interest) filter (where i.option_type = 'C') as call_gamma,
        sum(i.gamma * i.open_interest) filter (where i.option_type = 'P') as put_gamma,
        count(*) filter (where i.gamma is not null and i.open_interest > 0) as contracts,
        coalesce(sum(i.open_interest) filter (where i.gamma is null), 0) as left_out
    from derived.option_implied as i
    join derived.latest_snapshots as l
        on l.underlying = i.underlying and l.snapshot = i.snapshot and l.snapshot_at = i.snapshot_at
    where not i.is_adjusted and i.multiplier = 100
    group by i.underlying, i.root, i.expiration_date, i.settlement
),
exposed as (
    select
        x.*,
        (coalesce(x.call_gamma, 0) - coalesce(x.put_gamma, 0)) * 100 * x.spot * x.spot * 0.01 as exposure
    from expirations as x
    where x.contracts > 0
)
select
    e.underlying::varchar as underlying,
    e.root::varchar as root,
    e.expiration_date::date as expiration_date,
    e.settlement::varchar as settlement,
    e.snapshot_at::timestamp as snapshot_at,
    c.prev_session::date as as_of_oi, -- session of the open interest, the one before the quotes
    e.spot::double as spot,
    e.exposure::double as gamma_exposure, -- USD of the underlying per move of 1 percent, calls less puts
    sum(e.exposure) over (partition by e.underlying)::double as underlying_gamma_exposure, -- USD per move of 1 percent, all expirations
    e.contracts::bigint as contracts, -- with gamma and open interest
    e.left_out::double as open_interest_left_out -- contracts without a gamma
from exposed as e
left join derived.calendar as c
    on c.market = 'XNYS' and c.date = e.date
