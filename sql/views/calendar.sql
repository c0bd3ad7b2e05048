-- SPDX-License-Identifier: Apache-2.0
-- about: Trading days of XNYS, CBOE_IDX and CFE from 1953 on: opening hours, holidays, session numbers, period ends and option expirations by rule. Trading-day arithmetic is a difference of session_no.
-- kind: view
-- grain: market, date
select c.*
from derived.calendar as c
