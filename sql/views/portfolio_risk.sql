-- SPDX-License-Identifier: Apache-2.0
-- about: What you hold, per underlying: net Greeks, delta in USD and in shares of SPY, and profit or loss of a move of one
--   standard deviation until the next expiration held. Private: left out of exported databases.
-- kind: view
-- grain: underlying
-- private: true
with
nets as (
    select
        g.underlying,
        count(*) as legs,
        count(*) filter (where g.delta is null) as legs_without_greeks,
        max(g.spot) as spot,
        sum(g.delta) as delta,
        sum(g.gamma) as gamma,
        sum(g.theta) as theta,
        sum(g.vega) as vega,
        min(g.expiration_date) as next_expiration
    from main.position_greeks as g
    group by g.underlying
),
returns as (
    select
        r.symbol,
        r.date,
        r.log_return
    from derived.returns as r
    where r.sessions_spanned = 1
),
-- Joined, not main.beta row by row: what is called within a row has no as-of form.
betas as (
    select
        p.symbol,
        case when count(*) >= 20 and var_samp(p.y) > 0 then covar_samp(p.x, p.y) / var_samp(p.y) end as beta
    from (
        select
            s.symbol,
            s.log_return as x,
            b.log_return as y
        from nets as n
        join returns as s
            on s.symbol = n.underlying
        join returns as b
            on b.symbol = 'SPY' and b.date = s.date
        qualify row_number() over (partition by s.symbol order by s.date desc) <= 252
    ) as p
    group by p.symbol
),
benchmark as (
    select max(b.last) as spot
    from derived.latest_bars as b
    where b.symbol = 'SPY'
),
moves as (
    select
        n.*,
        b.beta,
        k.spot as benchmark_spot,
        e.atm_iv,
        e.years,
        n.spot * e.atm_iv * sqrt(greatest(e.years, 0)) as move,
        n.theta * greatest(e.years, 0) * 365 as decay
    from nets as n
    cross join benchmark as k
    left join betas as b
        on b.symbol = n.underlying
    left join derived.latest_expirations as e
        on e.underlying = n.underlying and e.expiration_date = n.next_expiration and e.is_main
)
select
    m.underlying::varchar as underlying, -- upper case
    m.legs::integer as legs, -- held
    m.legs_without_greeks::integer as legs_without_greeks, -- of them left out of the sums
    m.spot::double as spot, -- USD per share; null: not known
    m.delta::double as delta, -- shares of the underlying; null: no leg has Greeks
    (m.delta * m.spot)::double as delta_dollars, -- USD
    m.beta::double as beta, -- against SPY, 252 sessions; null: too few bars
    (m.delta * m.spot * m.beta / m.benchmark_spot)::double as beta_weighted_delta, -- shares of SPY; null: no beta
    m.gamma::double as gamma, -- shares per USD of spot
    m.theta::double as theta, -- USD per calendar day
    m.vega::double as vega, -- USD per vol point
    m.next_expiration::date as next_expiration, -- first expiration held; null: no option
    m.move::double as one_sigma_move, -- USD per share, until then; null: no volatility
    (m.delta * m.move + m.gamma * m.move * m.move / 2 + m.decay)::double as one_sigma_up, -- USD gained if spot rises by it until then, by delta, gamma and theta
    (-m.delta * m.move + m.gamma * m.move * m.move / 2 + m.decay)::double as one_sigma_down -- USD gained if spot falls by it until then
from moves as m
