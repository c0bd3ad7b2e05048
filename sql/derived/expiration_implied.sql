-- SPDX-License-Identifier: Apache-2.0
-- about: What the chain of each snapshot says per expiration: volatility at the money, of 25 and 10 delta, model-free variance,
--   straddle and strangles, volume and open interest. Stored: every series over time reads it, and a snapshot is
--   computed once.
-- kind: table
-- grain: snapshot, root, expiration_date, settlement
-- check: not_null(snapshot, underlying, root, expiration_date, settlement), unique(grain), range(atm_iv, 0, 1000)
-- incremental: snapshot through derived.option_snapshots
with
contracts as (
    select
        i.*,
        case
            when i.implied_volatility is null then null
            when i.option_type = 'C' and i.log_moneyness >= 0 then 'C'
            when i.option_type = 'P' and i.log_moneyness <= 0 then 'P'
        end as otm,
        abs(i.delta) as depth,
        -- What is refused for a volatility is no price of a straddle either.
        case
            when coalesce(i.iv_reason, '') in ('', 'below intrinsic', 'above upper bound', 'vega too small') then i.mid
        end as price
    from derived.option_implied as i
    where not i.is_adjusted
        and i.multiplier = 100
        and (getvariable('rebuilt_keys') is null or list_contains(getvariable('rebuilt_keys'), i.snapshot))
),
points as (
    select
        c.underlying,
        c.snapshot,
        c.root,
        c.expiration_date,
        c.settlement,
        any_value(c.snapshot_at) as snapshot_at,
        any_value(c.date) as date,
        any_value(c.spot) as spot,
        any_value(c.forward) as forward,
        any_value(c.forward_method) as forward_method,
        any_value(c.rate) as rate,
        any_value(c.years) as years,
        any_value(c.dte_calendar) as dte_calendar,
        max(c.known_at) as known_at,
        count(*) as contracts,
        count(c.implied_volatility) as quotes,
        max(c.log_moneyness) filter (where c.otm = 'P') as k_left,
        arg_max(c.implied_volatility, c.log_moneyness) filter (where c.otm = 'P') as iv_left,
        min(c.log_moneyness) filter (where c.otm = 'C') as k_right,
        arg_min(c.implied_volatility, c.log_moneyness) filter (where c.otm = 'C') as iv_right,
        max(c.depth) filter (where c.otm = 'C' and c.depth <= 0.25) as c25_out,
        arg_max(c.implied_volatility, c.depth) filter (where c.otm = 'C' and c.depth <= 0.25) as c25_out_iv,
        min(c.depth) filter (where c.otm = 'C' and c.depth >= 0.25) as c25_in,
        arg_min(c.implied_volatility, c.depth) filter (where c.otm = 'C' and c.depth >= 0.25) as c25_in_iv,
        max(c.depth) filter (where c.otm = 'P' and c.depth <= 0.25) as p25_out,
        arg_max(c.implied_volatility, c.depth) filter (where c.otm = 'P' and c.depth <= 0.25) as p25_out_iv,
        min(c.depth) filter (where c.otm = 'P' and c.depth >= 0.25) as p25_in,
        arg_min(c.implied_volatility, c.depth) filter (where c.otm = 'P' and c.depth >= 0.25) as p25_in_iv,
        max(c.depth) filter (where c.otm = 'C' and c.depth <= 0.1) as c10_out,
        arg_max(c.implied_volatility, c.depth) filter (where c.otm = 'C' and c.depth <= 0.1) as c10_out_iv,
        min(c.depth) filter (where c.otm = 'C' and c.depth >= 0.1) as c10_in,
        arg_min(c.implied_volatility, c.depth) filter (where c.otm = 'C' and c.depth >= 0.1) as c10_in_iv,
        max(c.depth) filter (where c.otm = 'P' and c.depth <= 0.1) as p10_out,
        arg_max(c.implied_volatility, c.depth) filter (where c.otm = 'P' and c.depth <= 0.1) as p10_out_iv,
        min(c.depth) filter (where c.otm = 'P' and c.depth >= 0.1) as p10_in,
        arg_min(c.implied_volatility, c.depth) filter (where c.otm = 'P' and c.depth >= 0.1) as p10_in_iv,
        sum(c.volume) filter (where c.option_type = 'C') as call_volume,
        sum(c.volume) filter (where c.option_type = 'P') as put_volume,
        sum(c.open_interest) filter (where c.option_type = 'C') as call_open_interest,
        sum(c.open_interest) filter (where c.option_type = 'P') as put_open_interest
    from contracts as c
    group by c.underlying, c.snapshot, c.root, c.expiration_date, c.settlement
),
-- The strike nearest to the forward with a call and a put, and the strikes around it.
paired as (
    select
        c.underlying,
        c.snapshot,
        c.root,
        c.expiration_date,
        c.settlement,
        c.strike,
        any_value(c.forward) as forward,
        sum(c.price) as straddle
    from contracts as c
    where c.price > 0
    group by c.underlying, c.snapshot, c.root, c.expiration_date, c.settlement, c.strike
    having count(distinct c.option_type) = 2
),
centres as (
    select
        p.underlying,
        p.snapshot,
        p.root,
        p.expiration_date,
        p.settlement,
        arg_min(p.strike, abs(p.strike - p.forward)) as atm_strike,
        arg_min(p.straddle, abs(p.strike - p.forward)) as straddle
    from paired as p
    group by p.underlying, p.snapshot, p.root, p.expiration_date, p.settlement
),
wings as (
    select
        c.*,
        n.atm_strike,
        row_number() over (
            partition by c.underlying, c.snapshot, c.root, c.expiration_date, c.settlement, c.option_type
            order by abs(c.strike - n.atm_strike)
        ) as place
    from contracts as c
    join centres as n
        on n.underlying = c.underlying
            and n.snapshot = c.snapshot
            and n.root = c.root
            and n.expiration_date = c.expiration_date
            and n.settlement = c.settlement
    where case c.option_type when 'C' then c.strike > n.atm_strike else c.strike < n.atm_strike end
),
strangles as (
    select
        w.underlying,
        w.snapshot,
        w.root,
        w.expiration_date,
        w.settlement,
        case when count(w.price) filter (where w.place = 1) = 2 then sum(w.price) filter (where w.place = 1) end as strangle_1,
        case when count(w.price) filter (where w.place = 2) = 2 then sum(w.price) filter (where w.place = 2) end as strangle_2
    from wings as w
    where w.place <= 2
    group by w.underlying, w.snapshot, w.root, w.expiration_date, w.settlement
)
select
    p.snapshot::varchar as snapshot, -- underlying and instant
    p.underlying::varchar as underlying, -- upper case
    p.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    p.date::date as date, -- session they belong to, New York
    p.root::varchar as root, -- root of the contracts' symbols
    p.expiration_date::date as expiration_date, -- session on which it expires
    p.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    p.spot::double as spot, -- USD per share of the underlying; null: not said
    p.forward::double as forward, -- USD per share at expiration; null: none
    p.forward_method::varchar as forward_method, -- parity or carry; null: no forward
    p.rate::double as rate, -- continuous, fraction a year
    p.years::double as years, -- calendar years of 365 days to expiration
    p.dte_calendar::integer as dte_calendar, -- calendar days to expiration
    p.contracts::bigint as contracts, -- listed
    p.quotes::bigint as quotes, -- contracts with an implied volatility
    derived.between_points(0, p.k_left, p.iv_left, p.k_right, p.iv_right)::double as atm_iv, -- annualised fraction, at the forward, between its neighbours out of the money; null: one side has none
    derived.between_points(0.25, p.c25_out, p.c25_out_iv, p.c25_in, p.c25_in_iv)::double as iv_25d_call, -- annualised fraction, of spot delta 0.25; null: not between two quotes
    derived.between_points(0.25, p.p25_out, p.p25_out_iv, p.p25_in, p.p25_in_iv)::double as iv_25d_put, -- annualised fraction, of spot delta -0.25; null: not between two quotes
    derived.between_points(0.1, p.c10_out, p.c10_out_iv, p.c10_in, p.c10_in_iv)::double as iv_10d_call, -- annualised fraction, of spot delta 0.10; null: not between two quotes
    derived.between_points(0.1, p.p10_out, p.p10_out_iv, p.p10_in, p.p10_in_iv)::double as iv_10d_put, -- annualised fraction, of spot delta -0.10; null: not between two quotes
    v.variance::double as variance, -- a year, fraction squared, model-free; null: too few strikes
    v.strikes::integer as variance_strikes, -- strikes it is of; null: none
    n.atm_strike::double as atm_strike, -- USD per share, nearest to the forward with call and put; null: none
    n.straddle::double as straddle, -- USD per share, call and put of atm_strike; null: none
    g.strangle_1::double as strangle_1, -- USD per share, first strikes out of the money; null: one has no quote
    g.strangle_2::double as strangle_2, -- USD per share, second strikes out of the money; null: one has no quote
    p.call_volume::double as call_volume, -- contracts; null: not given
    p.put_volume::double as put_volume, -- contracts; null: not given
    p.call_open_interest::double as call_open_interest, -- contracts, of the session before; null: not given
    p.put_open_interest::double as put_open_interest, -- contracts, of the session before; null: not given
    p.known_at::timestamp as known_at -- UTC; when its newest quote was known
from points as p
left join derived.variance_terms as v
    on v.underlying = p.underlying
        and v.snapshot = p.snapshot
        and v.root = p.root
        and v.expiration_date = p.expiration_date
        and v.settlement = p.settlement
left join centres as n
    on n.underlying = p.underlying
        and n.snapshot = p.snapshot
        and n.root = p.root
        and n.expiration_date = p.expiration_date
        and n.settlement = p.settlement
left join strangles as g
    on g.underlying = p.underlying
        and g.snapshot = p.snapshot
        and g.root = p.root
        and g.expiration_date = p.expiration_date
        and g.settlement = p.settlement
