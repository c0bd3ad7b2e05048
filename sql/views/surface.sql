-- SPDX-License-Identifier: Apache-2.0
-- about: The implied volatility surface of the newest chain on two grids. axis delta: point is the delta of the put for 0.05 to
--   0.45, 0.5 in the middle, and 1 less the delta of the call above. axis moneyness: point is strike over forward.
--   Volatility is straight in delta, or in ln(strike / forward), between neighbours out of the money; nothing beyond them.
-- kind: view
-- grain: underlying, root, expiration_date, settlement, axis, point
with
smiles as (
    select
        i.snapshot,
        i.underlying,
        i.root,
        i.expiration_date,
        i.settlement,
        i.snapshot_at,
        i.dte_calendar,
        i.years,
        i.forward,
        i.log_moneyness,
        i.implied_volatility,
        case i.option_type when 'P' then -i.delta else 1 - i.delta end as put_delta
    from derived.option_implied as i
    join derived.latest_snapshots as l
        on l.underlying = i.underlying and l.snapshot = i.snapshot and l.snapshot_at = i.snapshot_at
    where i.implied_volatility is not null
        and case i.option_type when 'C' then i.log_moneyness >= 0 else i.log_moneyness < 0 end
),
points as (
    select
        s.underlying,
        s.root,
        s.expiration_date,
        s.settlement,
        'delta' as axis,
        s.put_delta as x,
        s.implied_volatility
    from smiles as s
    union all
    select
        s.underlying,
        s.root,
        s.expiration_date,
        s.settlement,
        'moneyness' as axis,
        s.log_moneyness as x,
        s.implied_volatility
    from smiles as s
),
expirations as (
    select
        s.underlying,
        s.root,
        s.expiration_date,
        s.settlement,
        any_value(s.snapshot_at) as snapshot_at,
        any_value(s.dte_calendar) as dte_calendar,
        any_value(s.forward) as forward
    from smiles as s
    group by s.underlying, s.root, s.expiration_date, s.settlement
),
grid as (
    select
        'delta' as axis,
        d.x as point,
        d.x
    from (select unnest([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])::double as x) as d
    union all
    select
        'moneyness' as axis,
        m.ratio as point,
        ln(m.ratio) as x
    from (select unnest([0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1, 1.025, 1.05, 1.075, 1.1, 1.15, 1.2, 1.3])::double as ratio) as m
),
cells as (
    select
        e.*,
        g.axis,
        g.point,
        g.x
    from expirations as e
    cross join grid as g
),
lower_ones as (
    select
        c.*,
        p.x as x0,
        p.implied_volatility as v0
    from cells as c
    asof left join points as p
        on p.underlying = c.underlying
            and p.root = c.root
            and p.expiration_date = c.expiration_date
            and p.settlement = c.settlement
            and p.axis = c.axis
            and c.x >= p.x
),
both_sides as (
    select
        c.*,
        p.x as x1,
        p.implied_volatility as v1
    from lower_ones as c
    asof left join points as p
        on p.underlying = c.underlying
            and p.root = c.root
            and p.expiration_date = c.expiration_date
            and p.settlement = c.settlement
            and p.axis = c.axis
            and c.x <= p.x
)
select
    b.underlying::varchar as underlying,
    b.root::varchar as root,
    b.expiration_date::date as expiration_date,
    b.settlement::varchar as settlement,
    b.axis::varchar as axis, -- delta or moneyness
    b.point::double as point, -- delta axis: of the put, 1 less that of the call; moneyness axis: strike over forward
    b.snapshot_at::timestamp as snapshot_at,
    b.dte_calendar::integer as dte_calendar,
    case when b.axis = 'moneyness' then b.point * b.forward end::double as strike, -- USD per share; null: the axis is delta
    derived.between_points(b.x, b.x0, b.v0, b.x1, b.v1)::double as implied_volatility -- annualised fraction; null: not between two quotes
from both_sides as b
