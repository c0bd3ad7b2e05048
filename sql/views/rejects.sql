-- SPDX-License-Identifier: Apache-2.0
-- about: Refused rows of the files as they stand: what, where, why.
-- kind: view
select
    r.dataset::varchar as dataset, -- the raw table they were meant for
    r.file::varchar as file, -- path below the source's folder
    r.line::integer as line, -- 1-based; null: not a line of a text file
    r.reason::varchar as reason, -- why it was refused
    r.text::varchar as text, -- the refused line, at most 500 characters
    r.loaded_at::timestamp as loaded_at -- UTC
from raw.rejects as r
where r.replaced_at is null
