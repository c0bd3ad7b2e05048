-- SPDX-License-Identifier: Apache-2.0
-- about: One-session log and simple returns on adjusted closes.
-- kind: view
-- grain: symbol, date
select v.*
from derived.returns as v
