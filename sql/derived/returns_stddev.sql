-- SPDX-License-Identifier: Apache-2.0
-- about: Per symbol and listed expiration, the distribution of log returns over as many sessions as
--   remain to it, from overlapping returns that end on the last 252 bars. Stored: it takes 1.4 s for
--   500 symbols. Made symbols by symbols: 15,798 at once would take 10 GB.
-- kind: table
-- grain: symbol, root, expiration_date, settlement
-- check: not_null(symbol, root, expiration_date, settlement, dte_trading), unique(grain), range(dte_trading, 1, 5000)
-- incremental: symbol
-- keys: staged.eod
with
closes as materialized (
    select
        b.symbol,
        b.date,
        b.adj_close,
        b.close,
        c.session_no
    from derived.eod_adjusted as b
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = b.date and c.is_trading_day
    where getvariable('rebuilt_keys') is null or list_contains(getvariable('rebuilt_keys'), b.symbol)
),
own_roots as (
    select distinct e.underlying
    from derived.expiration_series as e
    where e.underlying is not null
),
newest as (
    select
        c.symbol,
        o.underlying,
        max(c.date) as as_of,
        max(c.session_no) as session_no,
        arg_max(c.close, c.date) as last_close
    from closes as c
    left join own_roots as o
        on o.underlying = c.symbol
    group by c.symbol, o.underlying
),
listed as (
    select
        n.symbol,
        n.as_of,
        n.last_close,
        e.root,
        e.expiration_date,
        e.settlement,
        date_diff('day', n.as_of, e.expiration_date) as dte_calendar,
        e.session_no - n.session_no as dte_trading
    from newest as n
    join derived.expiration_series as e
        on e.underlying is not distinct from n.underlying
        and e.listed_from <= n.as_of
        and e.expiration_date > n.as_of
),
horizons as (
    select l.symbol, l.dte_trading as horizon
    from listed as l
    union
    select n.symbol, 1
    from newest as n
),
ends as (
    select
        c.symbol,
        c.session_no,
        c.adj_close
    from closes as c
    qualify row_number() over (partition by c.symbol order by c.date desc) <= 252
),
-- Where each return begins, written out: else each close of a symbol is joined to each other one first.
begun as materialized (
    select
        h.symbol,
        h.horizon,
        e.adj_close,
        e.session_no - h.horizon as session_no
    from horizons as h
    join ends as e
        on e.symbol = h.symbol
),
samples as (
    select
        b.symbol,
        b.horizon,
        ln(b.adj_close / s.adj_close) as log_return
    from begun as b
    join closes as s
        on s.symbol = b.symbol and s.session_no = b.session_no
),
statistics as (
    select
        s.symbol,
        s.horizon,
        count(*) as n_obs,
        avg(s.log_return) as mean,
        stddev_samp(s.log_return) as stddev,
        quantile_cont(s.log_return, [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]) as quantiles
    from samples as s
    group by s.symbol, s.horizon
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
        on h.symbol = l.symbol and h.horizon = l.dte_trading
    left join statistics as one
        on one.symbol = l.symbol and one.horizon = 1
)
select
    j.symbol::varchar as symbol, -- upper case
    j.root::varchar as root, -- the symbol's own option root where it has one, else EQUITY
    j.expiration_date::date as expiration_date, -- session on which the options expire
    j.settlement::varchar as settlement, -- AM or PM
    j.as_of::date as as_of, -- the symbol's last bar
    j.dte_calendar::integer as dte_calendar, -- calendar days from as_of to the expiration
    j.dte_trading::integer as dte_trading, -- sessions after as_of, up to and with the expiration: the horizon
    j.n_obs::integer as n_obs, -- overlapping returns in the sample, at most 252
    (j.n_obs // j.dte_trading)::integer as n_independent, -- returns that do not overlap
    j.mean::double as mean, -- log return over the horizon, fraction; null: n_obs below 30
    j.stddev::double as stddev, -- of log returns over the horizon, fraction, n - 1, not annualised; null: n_obs below 30
    j.stddev_scaled::double as stddev_scaled, -- one-session stddev times sqrt(dte_trading), fraction; null: n_obs below 30
    j.quantiles[1]::double as q05, -- log return, fraction, linear between ranks
    j.quantiles[2]::double as q10, -- log return, fraction
    j.quantiles[3]::double as q25, -- log return, fraction
    j.quantiles[4]::double as q50, -- log return, fraction
    j.quantiles[5]::double as q75, -- log return, fraction
    j.quantiles[6]::double as q90, -- log return, fraction
    j.quantiles[7]::double as q95, -- log return, fraction
    (j.last_close * exp(-j.stddev))::double as low_1s, -- USD, last_close x exp(-1 stddev), no drift
    (j.last_close * exp(j.stddev))::double as high_1s, -- USD
    (j.last_close * exp(-2 * j.stddev))::double as low_2s, -- USD
    (j.last_close * exp(2 * j.stddev))::double as high_2s, -- USD
    (j.last_close * exp(-3 * j.stddev))::double as low_3s, -- USD
    (j.last_close * exp(3 * j.stddev))::double as high_3s, -- USD
    j.last_close::double as last_close, -- USD per share, unadjusted, on as_of
    (
        case
            when j.n_obs < 30 then 'insufficient'
            when j.n_obs // j.dte_trading < 10 then 'low'
            else 'ok'
        end
    )::varchar as quality -- insufficient: fewer than 30 returns; low: fewer than 10 independent ones; ok
from joined as j
