-- SPDX-License-Identifier: Apache-2.0
-- about: Named lists of symbols and when each was a member: your own, those that come with ttapi, and the
--   vendor's watchlists; of lists of one name the first of these. A list of today used on history is
--   survivorship-biased: valid_from says where that begins.
-- kind: view
-- grain: name, symbol, valid_from
with
members as (
    select
        u.name,
        u.symbol,
        u.valid_from,
        u.valid_to,
        'files' as source,
        1 as place
    from raw.universes as u
    where u.is_current
    union all
    select
        s.name,
        s.symbol,
        s.as_of,
        null,
        'shipped',
        2
    from raw.shipped_universes as s
    where s.is_current
    union all
    select
        w.name,
        w.symbol,
        null,
        null,
        'watchlist',
        3
    from raw.tastytrade_watchlists as w
    where w.is_current
)
select
    m.name::varchar as name, -- the list's name
    m.symbol::varchar as symbol, -- upper case
    m.valid_from::date as valid_from, -- first date of membership, of a shipped list the day it stands for; null: unknown
    m.valid_to::date as valid_to, -- first date after membership; null: still a member
    m.source::varchar as source -- files (your own), shipped (with ttapi) or watchlist (the vendor's)
from members as m
qualify m.place = min(m.place) over (partition by m.name)
