-- SPDX-License-Identifier: Apache-2.0
-- about: Shares sold short beside the volume traded since the report before.
-- kind: view
-- grain: symbol, settlement_date
with
reports as (
    select
        s.symbol,
        s.settlement_date,
        s.shares_short,
        lag(s.shares_short) over by_date as shares_before,
        lag(s.settlement_date) over by_date as date_before
    from staged.short_interest as s
    window by_date as (partition by s.symbol order by s.settlement_date)
)
select
    r.symbol::varchar as symbol, -- upper case
    r.settlement_date::date as settlement_date, -- date the positions settled
    r.shares_short::bigint as shares_short, -- shares
    (r.shares_short - r.shares_before)::bigint as change, -- shares since the report before; null: the first
    sum(b.volume)::double as volume, -- shares traded since the report before; null: no bars
    (r.shares_short / nullif(avg(b.volume), 0))::double as days_to_cover -- shares short over average daily volume; null: no bars
from reports as r
left join staged.eod as b
    on b.symbol = r.symbol and b.date > r.date_before and b.date <= r.settlement_date
group by r.symbol, r.settlement_date, r.shares_short, r.shares_before
