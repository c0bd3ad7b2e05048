-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars that lost to another bar of the same symbol and date, with the file and line of both.
-- kind: view
-- grain: symbol, date, file, line
select
    b.symbol::varchar as symbol, -- upper case
    b.date::date as date, -- session date, New York
    b.open::double as open, -- USD per share
    b.high::double as high, -- USD per share
    b.low::double as low, -- USD per share
    b.close::double as close, -- USD per share
    b.volume::double as volume, -- shares
    b.source::varchar as source, -- where the losing bar comes from
    u.key::varchar as file, -- its file
    b.line::integer as line, -- its line
    w.close::double as winner_close, -- USD per share, the bar that stands
    x.key::varchar as winner_file, -- the file of the bar that stands
    w.line::integer as winner_line, -- its line
    b.known_at::timestamp as known_at -- UTC
from raw.metastock_bars as b
join catalog.units as u
    on u.unit_id = b.unit_id and u.dataset = 'raw.metastock_bars'
left join raw.metastock_bars as w
    on w.symbol = b.symbol and w.date = b.date and w.per = 'D' and w.is_current
left join catalog.units as x
    on x.unit_id = w.unit_id and x.dataset = 'raw.metastock_bars'
where not b.is_current and b.replaced_at is null and b.per = 'D'
