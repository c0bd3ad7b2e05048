-- SPDX-License-Identifier: Apache-2.0
-- about: What was implied for each expiration at the last snapshot of each session, and what came of it: the move to the
--   closing price of the expiration (the opening price for AM), splits taken out, on the scale of the implied distribution.
-- kind: view
-- grain: underlying, date, root, expiration_date, settlement
with
last_ones as (
    select e.*
    from derived.expiration_implied as e
    left join derived.calendar as c
        on c.market = 'XNYS' and c.date = e.date
    where e.atm_iv > 0 and e.years > 0
    qualify dense_rank() over (
        partition by e.underlying, e.date
        order by (e.snapshot_at <= c.close_utc + interval '1 hour') desc nulls last, e.snapshot_at desc
    ) = 1
),
bars as (
    select
        b.symbol,
        b.date,
        b.adj_open / nullif(b.dividend_factor, 0) as split_open,
        b.adj_close / nullif(b.dividend_factor, 0) as split_close,
        b.split_factor
    from derived.eod_adjusted as b
),
-- A split that nobody recorded would pass for a move.
splits as (
    select
        s.symbol,
        s.date
    from derived.suspected_splits as s
),
outcomes as (
    select
        l.*,
        a.split_factor as factor_then,
        case l.settlement when 'AM' then z.split_open else z.split_close end as settled
    from last_ones as l
    join bars as a
        on a.symbol = l.underlying and a.date = l.date
    join bars as z
        on z.symbol = l.underlying and z.date = l.expiration_date
),
-- A report before the open moves its own session, one after the close the next.
events as (
    select
        v.symbol,
        case v.time_hint when 'BMO' then v.date - 1 else v.date end as last_date_before,
        case v.time_hint when 'BMO' then v.date else v.date + 1 end as first_date_after
    from main.events as v
    where v.type = 'earnings'
),
classed as (
    select
        o.*,
        o.atm_iv * sqrt(o.years) as sigma,
        ln(o.settled / (o.forward * o.factor_then)) as move,
        v.first_date_after as event_date
    from outcomes as o
    asof left join events as v
        on v.symbol = o.underlying and o.date <= v.last_date_before
    left join splits as p
        on p.symbol = o.underlying and p.date > o.date and p.date <= o.expiration_date
    where o.settled > 0 and o.forward > 0 and p.symbol is null
)
select
    c.underlying::varchar as underlying, -- upper case
    c.date::date as date, -- session of the snapshot, New York
    c.root::varchar as root, -- root of the contracts' symbols
    c.expiration_date::date as expiration_date, -- session on which it expired
    c.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    c.dte_calendar::integer as dte_calendar, -- calendar days
    (
        case
            when c.dte_calendar <= 7 then '0-7'
            when c.dte_calendar <= 21 then '8-21'
            when c.dte_calendar <= 45 then '22-45'
            when c.dte_calendar <= 90 then '46-90'
            else '91+'
        end
    )::varchar as dte_bucket, -- calendar days
    (case when c.event_date <= c.expiration_date then 'earnings' else 'none' end)::varchar as event_class, -- earnings: a report came between the two; none
    c.atm_iv::double as implied_volatility, -- annualised fraction
    c.sigma::double as sigma, -- fraction, one standard deviation of the log move
    c.move::double as log_move, -- fraction, of the settlement over the forward
    ((c.move + c.sigma * c.sigma / 2) / c.sigma)::double as z, -- standard deviations from the implied median
    main.norm_cdf((c.move + c.sigma * c.sigma / 2) / c.sigma)::double as pit -- probability that was implied for a lower price
from classed as c
