-- SPDX-License-Identifier: Apache-2.0
-- about: Puts over calls in open interest and volume, of each expiration of the newest chain and of the whole of it.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
select
    e.underlying::varchar as underlying,
    e.root::varchar as root,
    e.expiration_date::date as expiration_date,
    e.settlement::varchar as settlement,
    e.snapshot_at::timestamp as snapshot_at,
    e.as_of_oi::date as as_of_oi, -- session of the open interest, the one before the quotes
    e.call_open_interest::double as call_open_interest,
    e.put_open_interest::double as put_open_interest,
    (e.put_open_interest / nullif(e.call_open_interest, 0))::double as put_call_open_interest, -- ratio; null: no calls
    e.call_volume::double as call_volume,
    e.put_volume::double as put_volume,
    (e.put_volume / nullif(e.call_volume, 0))::double as put_call_volume, -- ratio; null: no calls
    (sum(e.put_open_interest) over whole / nullif(sum(e.call_open_interest) over whole, 0))::double as underlying_put_call_open_interest, -- ratio, all expirations; null: no calls
    (sum(e.put_volume) over whole / nullif(sum(e.call_volume) over whole, 0))::double as underlying_put_call_volume -- ratio, all expirations; null: no calls
from derived.latest_expirations as e
window whole as (partition by e.underlying)
