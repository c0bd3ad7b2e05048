-- SPDX-License-Identifier: Apache-2.0
-- about: Files whose stored bars are not as many as the ledger says were accepted.
select
    u.key,
    u.rows_accepted,
    coalesce(b.stored, 0) as stored
from catalog.units as u
left join (
    select r.unit_id, count(*) as stored
    from raw.metastock_bars as r
    where r.replaced_at is null
    group by r.unit_id
) as b
    on b.unit_id = u.unit_id
where u.dataset = 'raw.metastock_bars' and u.rows_accepted <> coalesce(b.stored, 0)
