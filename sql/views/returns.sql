-- SPDX-License-Identifier: Apache-2.0
-- about: One-session log and simple returns on adjusted closes.
-- kind: view
-- grain: symbol, date
select
    v.symbol::varchar as symbol,
    v.date::date as date,
    v.log_return::double as log_return,
    v.simple_return::double as simple_return,
    v.sessions_spanned::integer as sessions_spanned,
    v.quality::varchar as quality
from derived.returns as v
