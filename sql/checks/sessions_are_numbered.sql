-- SPDX-License-Identifier: Apache-2.0
-- about: Sessions whose number is not one above that of the session before.
select
    c.market,
    c.date,
    c.session_no
from derived.calendar as c
join derived.calendar as p
    on p.market = c.market and p.date = c.prev_session
where c.is_trading_day and c.session_no <> p.session_no + 1
