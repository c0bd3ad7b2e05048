-- SPDX-License-Identifier: Apache-2.0
-- about: The constant maturities, calendar days.
-- kind: macro
create or replace macro standard_tenors() as table
select t.days from (values (7), (14), (30), (60), (90), (180), (365)) as t (days)
