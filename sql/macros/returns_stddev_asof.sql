-- SPDX-License-Identifier: Apache-2.0
-- about: returns_stddev as it could have been known on a day (its whole day, New York) or at an
--   instant (UTC): returns_stddev_asof('2020-03-20', 'SPY'). Reads raw by key and known_at; no row
--   uses a bar, correction or corporate action that came later.
-- kind: macro
create or replace macro returns_stddev_asof(as_of, symbol) as table
with
asked as (
    select
        derived.end_of_knowledge(as_of) as until,
        (as_of)::date as day
),
bars as (
    select
        b.date,
        b.close
    from main.eod_asof(as_of, symbol) as b
),
basis as (
    select coalesce(max(p.price_basis), 'raw') as price_basis
    from raw.price_basis as p
    where p.is_current and p.source = 'metastock'
),
actions as (
    select
        a.ex_date,
        a.kind,
        a.ratio,
        a.cash
    from raw.corporate_actions as a
    join asked as k
        on a.known_at <= k.until and (a.replaced_at is null or a.replaced_at > k.until) and a.ex_date <= k.day
    left join derived.units_asof(as_of, 'raw.corporate_actions') as u
        on u.unit_id = a.unit_id
    where a.symbol = upper(symbol)
    qualify row_number() over (
        partition by a.ex_date, a.kind, a.cash
        order by u.last_date desc nulls last, u.path desc nulls last, a.line desc nulls last
    ) = 1
),
events as (
    select
        a.ex_date,
        product(case when a.kind = 'split' then 1 / a.ratio else 1 end) as split_factor,
        sum(case when a.kind = 'dividend' then a.cash else 0 end) as cash
    from actions as a
    group by a.ex_date
),
with_close as (
    select
        e.ex_date,
        e.split_factor,
        e.cash,
        arg_max(b.close, b.date) as close_before
    from events as e
    left join bars as b
        on b.date < e.ex_date
    group by e.ex_date, e.split_factor, e.cash
),
in_basis as (
    select
        c.ex_date,
        c.close_before,
        s.price_basis,
        case when s.price_basis = 'raw' then c.split_factor else 1 end as split_factor,
        case
            when s.price_basis = 'split'
                then c.cash * product(c.split_factor) over (order by c.ex_date desc rows unbounded preceding)
            else c.cash
        end as cash
    from with_close as c
    cross join basis as s
),
spans as (
    select
        coalesce(lag(i.ex_date) over by_date, date '0001-01-01') as valid_from,
        i.ex_date as valid_until,
        product(
            i.split_factor
            * case
                when i.price_basis <> 'total' and i.cash > 0 and i.cash < i.close_before then 1 - i.cash / i.close_before
                else 1
            end
        ) over later as factor
    from in_basis as i
    window
        by_date as (order by i.ex_date),
        later as (order by i.ex_date desc rows unbounded preceding)
),
closes as (
    select
        b.date,
        b.close,
        b.close * coalesce(f.factor, 1) as adj_close,
        c.session_no,
        row_number() over (order by b.date desc) as age
    from bars as b
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = b.date and c.is_trading_day
    left join spans as f
        on b.date >= f.valid_from and b.date < f.valid_until
),
listed as (
    select
        n.date as as_of_bar,
        n.close as last_close,
        e.root,
        e.expiration_date,
        e.settlement,
        date_diff('day', n.date, e.expiration_date) as dte_calendar,
        e.session_no - n.session_no as dte_trading
    from closes as n
    join derived.expiration_series as e
        on e.listed_from <= n.date
        and e.expiration_date > n.date
        and coalesce(e.underlying, '') = coalesce(
            (select max(o.underlying) from derived.expiration_series as o where o.underlying = upper(symbol)), ''
        )
    where n.age = 1
),
horizons as (
    select l.dte_trading as horizon
    from listed as l
    union
    select 1
),
statistics as (
    select
        h.horizon,
        count(*) as n_obs,
        avg(ln(e.adj_close / s.adj_close)) as mean,
        stddev_samp(ln(e.adj_close / s.adj_close)) as stddev,
        quantile_cont(ln(e.adj_close / s.adj_close), [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]) as quantiles
    from horizons as h
    join closes as e
        on e.age <= 252
    join closes as s
        on s.session_no = e.session_no - h.horizon
    group by h.horizon
),
joined as (
    select
        l.*,
        coalesce(h.n_obs, 0) as n_obs,
        case when h.n_obs >= 30 then h.mean end as mean,
        case when h.n_obs >= 30 then h.stddev end as stddev,
        case when h.n_obs >= 30 then one.stddev * sqrt(l.dte_trading) end as stddev_scaled,
        case when h.n_obs >= 30 then h.quantiles end as quantiles
    from listed as l
    left join statistics as h
        on h.horizon = l.dte_trading
    left join statistics as one
        on one.horizon = 1
)
select
    upper(symbol)::varchar as symbol,
    j.root::varchar as root,
    j.expiration_date::date as expiration_date,
    j.settlement::varchar as settlement,
    j.as_of_bar::date as as_of,
    j.dte_calendar::integer as dte_calendar,
    j.dte_trading::integer as dte_trading,
    j.n_obs::integer as n_obs,
    (j.n_obs // j.dte_trading)::integer as n_independent,
    j.mean::double as mean,
    j.stddev::double as stddev,
    j.stddev_scaled::double as stddev_scaled,
    j.quantiles[1]::double as q05,
    j.quantiles[2]::double as q10,
    j.quantiles[3]::double as q25,
    j.quantiles[4]::double as q50,
    j.quantiles[5]::double as q75,
    j.quantiles[6]::double as q90,
    j.quantiles[7]::double as q95,
    (j.last_close * exp(-j.stddev))::double as low_1s,
    (j.last_close * exp(j.stddev))::double as high_1s,
    (j.last_close * exp(-2 * j.stddev))::double as low_2s,
    (j.last_close * exp(2 * j.stddev))::double as high_2s,
    (j.last_close * exp(-3 * j.stddev))::double as low_3s,
    (j.last_close * exp(3 * j.stddev))::double as high_3s,
    j.last_close::double as last_close,
    (
        case
            when j.n_obs < 30 then 'insufficient'
            when j.n_obs // j.dte_trading < 10 then 'low'
            else 'ok'
        end
    )::varchar as quality
from joined as j
order by j.expiration_date, j.settlement
