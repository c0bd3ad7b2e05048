-- SPDX-License-Identifier: Apache-2.0
-- about: Implied against realised volatility, day by day: ex ante with the 21 sessions before, ex post with the 21 sessions
--   after, where these have come. Positive: implied was dearer.
-- kind: view
-- grain: underlying, date
with
returns as (
    select
        r.symbol,
        r.log_return,
        c.session_no
    from derived.returns as r
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = r.date
    where r.sessions_spanned = 1 and r.quality <> 'suspected_split'
),
implied as (
    select
        h.underlying,
        h.date,
        h.iv30,
        c.session_no
    from main.iv_history as h
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = h.date
    where h.iv30 is not null
),
measured as (
    select
        i.underlying,
        i.date,
        any_value(i.iv30) as iv30,
        count(*) filter (where r.session_no <= i.session_no) as n_before,
        stddev_samp(r.log_return) filter (where r.session_no <= i.session_no) * sqrt(252) as rv_before,
        count(*) filter (where r.session_no > i.session_no) as n_after,
        stddev_samp(r.log_return) filter (where r.session_no > i.session_no) * sqrt(252) as rv_after
    from implied as i
    left join returns as r
        on r.symbol = i.underlying and r.session_no > i.session_no - 21 and r.session_no <= i.session_no + 21
    group by i.underlying, i.date
),
judged as (
    select
        m.underlying,
        m.date,
        m.iv30,
        case when m.n_before = 21 then m.rv_before end as rv_before,
        case when m.n_after = 21 then m.rv_after end as rv_after
    from measured as m
)
select
    j.underlying::varchar as underlying,
    j.date::date as date, -- session, New York
    j.iv30::double as iv30, -- annualised fraction, 30 calendar days
    j.rv_before::double as rv21_trailing, -- annualised fraction, of the 21 returns to date; null: one is missing
    (j.iv30 * j.iv30 - j.rv_before * j.rv_before)::double as ex_ante_variance, -- fraction squared a year; null: no rv21_trailing
    (j.iv30 - j.rv_before)::double as ex_ante_volatility, -- annualised fraction; null: no rv21_trailing
    j.rv_after::double as rv21_following, -- annualised fraction, of the 21 returns after date; null: they have not all come
    (j.iv30 * j.iv30 - j.rv_after * j.rv_after)::double as ex_post_variance, -- fraction squared a year; null: not yet known
    (j.iv30 - j.rv_after)::double as ex_post_volatility -- annualised fraction; null: not yet known
from judged as j
