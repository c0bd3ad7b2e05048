-- SPDX-License-Identifier: Apache-2.0
-- about: The instant (UTC) until which something was known: an instant itself; of a bare date the end of its day, for a bar is
--   known at the close, before midnight UTC.
-- kind: macro
create or replace macro end_of_knowledge(as_of) as (
    case
        when (as_of)::timestamp = (as_of)::date::timestamp then ((as_of)::date + 1)::timestamp
        else (as_of)::timestamp
    end
)
