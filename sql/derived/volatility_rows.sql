-- SPDX-License-Identifier: Apache-2.0
-- about: Every volatility estimator over each lookback of a list, for each bar of each symbol: the
--   one home of the formulas. volatility and volatility_over are made of it. The lookback is a column
--   of the window's frame, so the whole is bound once: ten branches took 80 ms to bind, one takes 15.
-- kind: macro
create or replace macro volatility_rows(lookbacks) as table
with
wanted as (
    select unnest(lookbacks) as lookback
),
sums as (
    select
        t.symbol,
        t.date,
        t.bar_no,
        k.lookback,
        count(t.log_return) over w as n_obs,
        count(t.garman_klass_term) over w as n_valid,
        count(case when t.sessions_spanned > 1 then 1 end) over w as n_gaps,
        count(case when t.is_suspect then 1 end) over w as n_suspect,
        stddev_samp(t.log_return) over w as daily_stddev,
        avg(t.parkinson_term) over w as parkinson,
        avg(t.garman_klass_term) over w as garman_klass,
        avg(t.garman_klass_term + t.overnight * t.overnight) over w as garman_klass_yang_zhang,
        avg(t.rogers_satchell_term) over w as rogers_satchell,
        var_samp(t.overnight) over w as overnight_variance,
        var_samp(t.open_close) over w as open_close_variance,
        first_value(t.squared_return) over w as first_squared_return,
        -- Weights 0.94^-bar_no overflow after 11,471 bars: they start again every 4,096, even and
        -- odd blocks are summed apart, and a lookback touches two blocks at most.
        coalesce(sum(case when (t.bar_no // 4096) % 2 = 0 then t.squared_return * pow(0.94, -(t.bar_no % 4096)) end) over w, 0) as even_blocks,
        coalesce(sum(case when (t.bar_no // 4096) % 2 = 1 then t.squared_return * pow(0.94, -(t.bar_no % 4096)) end) over w, 0) as odd_blocks
    from derived.volatility_terms as t
    cross join wanted as k
    window w as (
        partition by t.symbol, k.lookback
        order by t.date
        rows between k.lookback - 1 preceding and current row
    )
),
variances as (
    select
        s.*,
        s.n_obs = s.lookback as is_full,
        0.06 * pow(0.94, s.bar_no % 4096) * (
            case
                when (s.bar_no // 4096) % 2 = 0 then s.even_blocks + pow(0.94, 4096) * s.odd_blocks
                else s.odd_blocks + pow(0.94, 4096) * s.even_blocks
            end
        ) + pow(0.94, s.lookback) * s.first_squared_return as ewma,
        s.overnight_variance
        + (0.34 / (1.34 + (s.n_valid + 1) / nullif(s.n_valid - 1.0, 0))) * s.open_close_variance
        + (1 - 0.34 / (1.34 + (s.n_valid + 1) / nullif(s.n_valid - 1.0, 0))) * s.rogers_satchell as yang_zhang
    from sums as s
)
select
    v.symbol::varchar as symbol, -- upper case
    v.date::date as date, -- session date, New York
    v.lookback::integer as lookback, -- sessions looked back over
    v.n_obs::integer as n_obs, -- returns in the lookback
    v.n_gaps::integer as n_gaps, -- of these, returns that span a missing session
    (case when v.is_full then v.daily_stddev * sqrt(252) end)::double as close_to_close, -- annualised fraction, n - 1; null: the lookback is not full
    (case when v.is_full then sqrt(252 * v.parkinson / (4 * ln(2))) end)::double as parkinson, -- annualised fraction, Parkinson 1980
    (case when v.is_full and v.garman_klass >= 0 then sqrt(252 * v.garman_klass) end)::double as garman_klass, -- annualised fraction, Garman-Klass 1980 simple form
    (case when v.is_full and v.garman_klass_yang_zhang >= 0 then sqrt(252 * v.garman_klass_yang_zhang) end)::double as garman_klass_yang_zhang, -- annualised fraction, with the overnight term
    (case when v.is_full and v.rogers_satchell >= 0 then sqrt(252 * v.rogers_satchell) end)::double as rogers_satchell, -- annualised fraction, Rogers-Satchell 1991
    (case when v.is_full and v.yang_zhang >= 0 then sqrt(252 * v.yang_zhang) end)::double as yang_zhang, -- annualised fraction, Yang-Zhang 2000
    (case when v.is_full then sqrt(252 * v.ewma) end)::double as ewma, -- annualised fraction, lambda 0.94, seeded with the first return squared
    (
        case
            when not v.is_full then 'insufficient'
            when v.n_suspect > 0 then 'suspected_split'
            when v.n_valid < v.lookback then 'invalid_bars'
            when v.n_gaps > 0 then 'gap'
            else 'ok'
        end
    )::varchar as quality -- ok, gap, invalid_bars (left out of range estimators), suspected_split, insufficient
from variances as v
