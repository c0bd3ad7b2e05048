-- SPDX-License-Identifier: Apache-2.0
-- about: Implied against realised volatility, day by day: ex ante with the 21 sessions before, ex post with the 21 sessions
--   after, where these have come. Positive: implied was dearer.
-- kind: view
-- grain: underlying, date
with
realized as (
    select
        v.symbol,
        c.session_no,
        v.close_to_close as rv
    from derived.volatility_rows([21]) as v
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = v.date
    where v.quality in ('ok', 'invalid_bars')
),
judged as (
    select
        h.underlying,
        h.date,
        h.iv30,
        before.rv as rv_before,
        after.rv as rv_after
    from main.iv_history as h
    join derived.calendar as c
        on c.market = 'XNYS' and c.date = h.date
    left join realized as before
        on before.symbol = h.underlying and before.session_no = c.session_no
    left join realized as after
        on after.symbol = h.underlying and after.session_no = c.session_no + 21
    where h.iv30 is not null
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
