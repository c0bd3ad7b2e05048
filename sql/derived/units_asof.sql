-- SPDX-License-Identifier: Apache-2.0
-- about: How far each unit of a raw dataset (a file, a symbol) reached on a day (its whole day, New York) or at
--   an instant (UTC): units_asof('2020-03-20', 'raw.metastock_bars'). Of bars of one date in two files the
--   one of the file that reaches further stands. A unit that was loaded later, of facts known before, counts
--   as far as that day.
-- kind: macro
create or replace macro units_asof(as_of, dataset) as table
with
asked as (
    select
        derived.end_of_knowledge(as_of) as until,
        (as_of)::date as day
)
select
    u.unit_id::integer as unit_id, -- as in catalog.units
    u.key::varchar as path, -- what the unit is called
    coalesce(
        arg_max(v.last_date, v.load_id) filter (where v.loaded_at <= k.until),
        least(arg_min(v.last_date, v.load_id), k.day),
        u.last_date
    )::date as last_date -- its last date by then; null: it has none
from catalog.units as u
cross join asked as k
left join catalog.unit_versions as v
    on v.unit_id = u.unit_id
where u.dataset = dataset
group by u.unit_id, u.key, u.last_date, k.day
