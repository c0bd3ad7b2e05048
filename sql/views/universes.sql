-- SPDX-License-Identifier: Apache-2.0
-- about: Named lists of symbols and when each was a member. A list of today used on history is
--   survivorship-biased: valid_from says where that begins.
-- kind: view
-- grain: name, symbol, valid_from
select
    u.name::varchar as name, -- the list's name
    u.symbol::varchar as symbol, -- upper case
    u.valid_from::date as valid_from, -- first date of membership; null: unknown
    u.valid_to::date as valid_to -- first date after membership; null: still a member
from raw.universes as u
where u.is_current
