-- SPDX-License-Identifier: Apache-2.0
-- about: Model-free variance of each expiration of each snapshot, by the sum over strikes of Cboe's VIX method: options out of
--   the money with a bid, from the middle outwards until two strikes in a row have none.
-- kind: view
-- grain: snapshot, root, expiration_date, settlement
with
quoted as (
    select
        i.underlying,
        i.snapshot,
        i.root,
        i.expiration_date,
        i.settlement,
        i.strike,
        i.option_type,
        i.years,
        i.rate,
        case when i.iv_reason is null or i.iv_reason in ('vega too small', 'wide quote', 'below intrinsic') then i.mid end as mid,
        coalesce(i.bid, i.mark, 0) <= 0 as is_zero
    from derived.option_implied as i
    where i.years > 0
        and not i.is_adjusted
        and i.multiplier = 100
        and (getvariable('rebuilt_keys') is null or list_contains(getvariable('rebuilt_keys'), i.snapshot))
),
strikes as (
    select
        q.underlying,
        q.snapshot,
        q.root,
        q.expiration_date,
        q.settlement,
        q.strike,
        any_value(q.years) as years,
        any_value(q.rate) as rate,
        max(case when q.option_type = 'C' then q.mid end) as call_mid,
        max(case when q.option_type = 'P' then q.mid end) as put_mid,
        coalesce(bool_and(q.is_zero) filter (where q.option_type = 'C'), true) as is_call_zero,
        coalesce(bool_and(q.is_zero) filter (where q.option_type = 'P'), true) as is_put_zero
    from quoted as q
    group by q.underlying, q.snapshot, q.root, q.expiration_date, q.settlement, q.strike
),
-- The forward of the strike whose call and put differ least.
forwards as (
    select
        s.underlying,
        s.snapshot,
        s.root,
        s.expiration_date,
        s.settlement,
        arg_min(s.strike + exp(s.rate * s.years) * (s.call_mid - s.put_mid), abs(s.call_mid - s.put_mid)) as forward
    from strikes as s
    where s.call_mid is not null and s.put_mid is not null
    group by s.underlying, s.snapshot, s.root, s.expiration_date, s.settlement
),
centred as (
    select
        s.*,
        f.forward,
        max(case when s.strike <= f.forward then s.strike end) over (
            partition by s.underlying, s.snapshot, s.root, s.expiration_date, s.settlement
        ) as centre
    from strikes as s
    join forwards as f
        on f.underlying = s.underlying
            and f.snapshot = s.snapshot
            and f.root = s.root
            and f.expiration_date = s.expiration_date
            and f.settlement = s.settlement
),
sided as (
    select
        c.*,
        sign(c.strike - c.centre) as side,
        case when c.strike > c.centre then c.call_mid when c.strike < c.centre then c.put_mid else (c.call_mid + c.put_mid) / 2 end as price,
        case when c.strike > c.centre then c.is_call_zero when c.strike < c.centre then c.is_put_zero else false end as is_zero
    from centred as c
    where c.centre is not null
),
followed as (
    select
        s.*,
        s.is_zero and coalesce(lag(s.is_zero) over outwards, false) as is_second_zero
    from sided as s
    window outwards as (
        partition by s.underlying, s.snapshot, s.root, s.expiration_date, s.settlement, s.side order by abs(s.strike - s.centre)
    )
),
reached as (
    select
        f.*,
        bool_or(f.is_second_zero) over (
            partition by f.underlying, f.snapshot, f.root, f.expiration_date, f.settlement, f.side
            order by abs(f.strike - f.centre)
            rows unbounded preceding
        ) as is_beyond
    from followed as f
),
taken as (
    select
        r.*,
        lag(r.strike) over by_strike as below,
        lead(r.strike) over by_strike as above
    from reached as r
    where not r.is_zero and not r.is_beyond and r.price > 0
    window by_strike as (partition by r.underlying, r.snapshot, r.root, r.expiration_date, r.settlement order by r.strike)
)
select
    t.underlying::varchar as underlying, -- upper case
    t.snapshot::varchar as snapshot, -- underlying and instant
    t.root::varchar as root, -- root of the contracts' symbols
    t.expiration_date::date as expiration_date, -- session on which it expires
    t.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    count(*)::integer as strikes, -- that count
    (
        case
            when count(*) >= 4 and bool_or(t.side < 0) and bool_or(t.side > 0)
                then (
                    2 * sum(
                        coalesce((t.above - t.below) / 2, t.above - t.strike, t.strike - t.below)
                        / (t.strike * t.strike) * exp(t.rate * t.years) * t.price
                    )
                    - (any_value(t.forward) / any_value(t.centre) - 1) * (any_value(t.forward) / any_value(t.centre) - 1)
                ) / any_value(t.years)
        end
    )::double as variance -- a year, fraction squared; null: fewer than four strikes, or none on one side
from taken as t
group by t.underlying, t.snapshot, t.root, t.expiration_date, t.settlement
