-- SPDX-License-Identifier: Apache-2.0
-- about: What the newest chain of each underlying says per expiration that had not come, with sessions to it and, of two series that expire on
--   one date, which one is taken where one is needed.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
with
sessions as (
    select
        c.date,
        c.session_no,
        c.prev_session,
        c.is_week_end
    from derived.calendar as c
    where c.market = 'XNYS'
)
select
    e.snapshot::varchar as snapshot,
    e.underlying::varchar as underlying,
    e.snapshot_at::timestamp as snapshot_at,
    e.date::date as date,
    e.root::varchar as root,
    e.expiration_date::date as expiration_date,
    e.settlement::varchar as settlement,
    e.spot::double as spot,
    e.forward::double as forward,
    e.forward_method::varchar as forward_method,
    e.rate::double as rate,
    e.years::double as years,
    e.dte_calendar::integer as dte_calendar,
    e.contracts::bigint as contracts,
    e.quotes::bigint as quotes,
    e.atm_iv::double as atm_iv,
    e.iv_25d_call::double as iv_25d_call,
    e.iv_25d_put::double as iv_25d_put,
    e.iv_10d_call::double as iv_10d_call,
    e.iv_10d_put::double as iv_10d_put,
    e.variance::double as variance,
    e.variance_strikes::integer as variance_strikes,
    e.atm_strike::double as atm_strike,
    e.straddle::double as straddle,
    e.strangle_1::double as strangle_1,
    e.strangle_2::double as strangle_2,
    e.call_volume::double as call_volume,
    e.put_volume::double as put_volume,
    e.call_open_interest::double as call_open_interest,
    e.put_open_interest::double as put_open_interest,
    e.known_at::timestamp as known_at,
    (x.session_no - n.session_no)::integer as dte_trading, -- sessions to expiration
    n.prev_session::date as as_of_oi, -- session of the open interest
    coalesce(x.is_week_end, false)::boolean as is_week_end, -- true: it expires on the last session of a week
    (
        row_number() over (
            partition by e.underlying, e.expiration_date
            order by (e.atm_iv is null), e.quotes desc, e.settlement desc, e.root
        ) = 1
    )::boolean as is_main -- true: the series with more quotes on its date
from derived.expiration_implied as e
join derived.latest_snapshots as l
    on l.underlying = e.underlying and l.snapshot = e.snapshot and l.snapshot_at = e.snapshot_at
left join sessions as n
    on n.date = e.date
left join sessions as x
    on x.date = e.expiration_date
where e.years > 0
