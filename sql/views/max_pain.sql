-- SPDX-License-Identifier: Apache-2.0
-- about: The strike of each expiration of the newest chain at which all options together would pay least; of equal ones the lowest.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
with
strikes as (
    select
        i.underlying,
        i.root,
        i.expiration_date,
        i.settlement,
        i.strike,
        any_value(i.snapshot_at) as snapshot_at,
        any_value(i.spot) as spot,
        coalesce(sum(i.open_interest) filter (where i.option_type = 'C'), 0) as calls,
        coalesce(sum(i.open_interest) filter (where i.option_type = 'P'), 0) as puts
    from derived.option_implied as i
    join derived.latest_snapshots as l
        on l.underlying = i.underlying and l.snapshot = i.snapshot and l.snapshot_at = i.snapshot_at
    where not i.is_adjusted and i.multiplier = 100
    group by i.underlying, i.root, i.expiration_date, i.settlement, i.strike
),
pains as (
    select
        s.*,
        s.strike * sum(s.calls) over below - sum(s.calls * s.strike) over below
        + sum(s.puts * s.strike) over above - s.strike * sum(s.puts) over above as pain
    from strikes as s
    window
        below as (
            partition by s.underlying, s.root, s.expiration_date, s.settlement
            order by s.strike
            rows between unbounded preceding and current row
        ),
        above as (
            partition by s.underlying, s.root, s.expiration_date, s.settlement
            order by s.strike
            rows between current row and unbounded following
        )
)
select
    p.underlying::varchar as underlying,
    p.root::varchar as root,
    p.expiration_date::date as expiration_date,
    p.settlement::varchar as settlement,
    any_value(p.snapshot_at)::timestamp as snapshot_at,
    any_value(p.spot)::double as spot,
    (case when sum(p.calls + p.puts) > 0 then arg_min(p.strike, (p.pain, p.strike)) end)::double as max_pain, -- USD per share; null: no open interest
    (case when sum(p.calls + p.puts) > 0 then min(p.pain) * 100 end)::double as pain, -- USD that all options would pay there; null: no open interest
    sum(p.calls)::double as call_open_interest, -- contracts, of the session before
    sum(p.puts)::double as put_open_interest -- contracts, of the session before
from pains as p
group by p.underlying, p.root, p.expiration_date, p.settlement
