-- SPDX-License-Identifier: Apache-2.0
-- about: Was the market right? Per underlying, days to expiration and whether a report came before it: how often prices stayed
--   within the bands of one and two implied standard deviations (68 and 95 percent if it was right), where they fell in the implied distribution,
--   its CRPS, and the premium of implied over realised variance with its interval by moving blocks.
-- kind: view
-- grain: underlying, dte_bucket, event_class
with
outcomes as (
    select
        o.*,
        o.sigma * o.sigma - (o.log_move + o.sigma * o.sigma / 2) * (o.log_move + o.sigma * o.sigma / 2) as premium,
        -- Gneiting and Raftery 2007, equation 21: of a normal distribution, in its own standard deviations.
        o.sigma * (o.z * (2 * o.pit - 1) + 2 * main.norm_pdf(o.z) - 1 / sqrt(pi())) as crps,
        count(*) over cell as n,
        row_number() over (
            partition by o.underlying, o.dte_bucket, o.event_class
            order by o.date, o.expiration_date, o.settlement, o.root
        ) - 1 as place
    from main.move_outcomes as o
    window cell as (partition by o.underlying, o.dte_bucket, o.event_class)
),
cells as (
    select
        o.underlying,
        o.dte_bucket,
        o.event_class,
        any_value(o.n) as n,
        count(distinct o.date) as n_dates,
        min(o.date) as first_date,
        max(o.date) as last_date,
        avg(case when abs(o.z) <= 1 then 1 else 0 end) as coverage_1s,
        avg(case when abs(o.z) <= 2 then 1 else 0 end) as coverage_2s,
        avg(o.z) as mean_z,
        stddev_samp(o.z) as stddev_z,
        avg(o.crps) as crps,
        avg(o.premium) as premium,
        [
            count(*) filter (where o.pit < 0.1),
            count(*) filter (where o.pit >= 0.1 and o.pit < 0.2),
            count(*) filter (where o.pit >= 0.2 and o.pit < 0.3),
            count(*) filter (where o.pit >= 0.3 and o.pit < 0.4),
            count(*) filter (where o.pit >= 0.4 and o.pit < 0.5),
            count(*) filter (where o.pit >= 0.5 and o.pit < 0.6),
            count(*) filter (where o.pit >= 0.6 and o.pit < 0.7),
            count(*) filter (where o.pit >= 0.7 and o.pit < 0.8),
            count(*) filter (where o.pit >= 0.8 and o.pit < 0.9),
            count(*) filter (where o.pit >= 0.9)
        ] as pit_histogram,
        -- Blocks longer than neighbouring outcomes overlap: one expiration is seen from many days.
        greatest(1, least(any_value(o.n), ceil(sqrt(any_value(o.n)))))::bigint as block
    from outcomes as o
    group by o.underlying, o.dte_bucket, o.event_class
),
-- 200 samples of blocks; where each starts is drawn by arithmetic, so that every client draws the same.
starts as (
    select
        c.underlying,
        c.dte_bucket,
        c.event_class,
        c.n,
        c.block,
        s.sample,
        (
            floor(
                c.n * (
                    sin(s.sample * 12.9898 + b.place * 78.233 + 1) * 43758.5453
                    - floor(sin(s.sample * 12.9898 + b.place * 78.233 + 1) * 43758.5453)
                )
            ) % c.n
        )::bigint as start
    from cells as c
    cross join (select unnest(range(200)) as sample) as s
    join (select unnest(range(10000)) as place) as b
        on b.place * c.block < c.n
    where c.n >= 10
),
sums as (
    select
        o.underlying,
        o.dte_bucket,
        o.event_class,
        o.place,
        sum(o.premium) over (
            partition by o.underlying, o.dte_bucket, o.event_class order by o.place rows unbounded preceding
        ) as until_here,
        sum(o.premium) over (partition by o.underlying, o.dte_bucket, o.event_class) as every
    from outcomes as o
),
-- A block that runs over the end goes on at the beginning.
blocks as (
    select
        t.underlying,
        t.dte_bucket,
        t.event_class,
        t.sample,
        t.block,
        case when t.start + t.block > t.n then l.every else 0 end
        + l.until_here
        - coalesce(f.until_here, 0) as total
    from starts as t
    join sums as l
        on l.underlying = t.underlying
            and l.dte_bucket = t.dte_bucket
            and l.event_class = t.event_class
            and l.place = (t.start + t.block - 1) % t.n
    left join sums as f
        on f.underlying = t.underlying
            and f.dte_bucket = t.dte_bucket
            and f.event_class = t.event_class
            and f.place = t.start - 1
),
samples as (
    select
        b.underlying,
        b.dte_bucket,
        b.event_class,
        b.sample,
        sum(b.total) / sum(b.block) as premium
    from blocks as b
    group by b.underlying, b.dte_bucket, b.event_class, b.sample
),
intervals as (
    select
        s.underlying,
        s.dte_bucket,
        s.event_class,
        quantile_cont(s.premium, [0.05, 0.95]) as bounds
    from samples as s
    group by s.underlying, s.dte_bucket, s.event_class
)
select
    c.underlying::varchar as underlying, -- upper case
    c.dte_bucket::varchar as dte_bucket, -- calendar days to expiration: 0-7, 8-21, 22-45, 46-90, 91+
    c.event_class::varchar as event_class, -- earnings: a report came between snapshot and expiration; none
    c.n::integer as n_obs, -- snapshots and expirations that have expired; they overlap
    c.n_dates::integer as n_dates, -- sessions they were taken on
    c.first_date::date as first_date, -- the first of them
    c.last_date::date as last_date, -- the last of them
    c.coverage_1s::double as coverage_1s, -- fraction within one implied standard deviation; 0.683 if the market was right
    c.coverage_2s::double as coverage_2s, -- fraction within two; 0.954 if the market was right
    c.mean_z::double as mean_z, -- standard deviations; above 0: prices ended above what was implied
    c.stddev_z::double as stddev_z, -- 1 if the market was right, below: too much was paid; null: one outcome
    c.pit_histogram::bigint[] as pit_histogram, -- outcomes in each tenth of the implied distribution; even if the market was right
    c.crps::double as crps, -- log move, continuous ranked probability score, less is better
    c.premium::double as premium, -- implied less realised variance to expiration, fraction squared; above 0: implied was dearer
    i.bounds[1]::double as premium_q05, -- of 200 samples of moving blocks; null: fewer than 10 outcomes
    i.bounds[2]::double as premium_q95, -- of 200 samples of moving blocks; null: fewer than 10 outcomes
    (case when c.n < 30 then 'insufficient' when c.n_dates < 60 then 'low' else 'ok' end)::varchar as quality -- insufficient: fewer than 30 outcomes; low: fewer than 60 sessions; ok
from cells as c
left join intervals as i
    on i.underlying = c.underlying and i.dte_bucket = c.dte_bucket and i.event_class = c.event_class
