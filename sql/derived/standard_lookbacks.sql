-- SPDX-License-Identifier: Apache-2.0
-- about: The lookbacks, in sessions, of every stored and listed volatility.
-- kind: macro
create or replace macro standard_lookbacks() as [5, 10, 20, 21, 30, 60, 63, 90, 126, 252]
