-- SPDX-License-Identifier: Apache-2.0
-- about: The expected move to each expiration of the newest chain, by five methods, each named: they are different things.
--   calendar and trading are one standard deviation; weighted is tastytrade's mix of straddle and strangles; straddle_85 is
--   85 percent of the straddle; mean is the mean absolute move.
-- kind: view
-- grain: underlying, root, expiration_date, settlement, method
with
-- On the day of expiration what is left of it: of 24 hours, or of the 6.5 of a session.
terms as (
    select
        t.*,
        case when t.dte_calendar > 0 then t.dte_calendar else t.years * 365 end as days_left,
        case when t.dte_trading > 0 then t.dte_trading else least(1, t.years * 8760 / 6.5) end as sessions_left
    from derived.latest_expirations as t
),
moves as (
    select
        e.*,
        unnest(['calendar', 'trading', 'weighted', 'straddle_85', 'mean']) as method,
        unnest(
            [
                main.expected_move_calendar(e.spot, e.atm_iv, e.days_left),
                main.expected_move_trading(e.spot, e.atm_iv, e.sessions_left),
                main.expected_move_weighted(e.straddle, e.strangle_1, e.strangle_2),
                main.expected_move_straddle(e.straddle),
                main.expected_move_mean(e.spot, e.atm_iv, e.days_left)
            ]
        ) as move
    from terms as e
)
select
    m.underlying::varchar as underlying,
    m.root::varchar as root,
    m.expiration_date::date as expiration_date,
    m.settlement::varchar as settlement,
    m.method::varchar as method, -- calendar, trading, weighted, straddle_85 or mean
    m.snapshot_at::timestamp as snapshot_at,
    m.dte_calendar::integer as dte_calendar,
    m.dte_trading::integer as dte_trading,
    m.spot::double as spot,
    m.move::double as expected_move, -- USD per share, up or down; null: what it is computed of is missing
    (m.move / m.spot)::double as expected_move_fraction, -- of spot
    (m.spot - m.move)::double as low, -- USD per share
    (m.spot + m.move)::double as high -- USD per share
from moves as m
