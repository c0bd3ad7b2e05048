-- SPDX-License-Identifier: Apache-2.0
-- Where each column of each model comes from, as parsed out of the SQL when it was installed.
create table catalog.lineage (
    relation varchar not null,
    column_name varchar not null,
    upstream_relation varchar,
    upstream_column varchar,
    expression varchar
);
comment on table catalog.lineage is 'Column lineage: one row per column and upstream column; expression is the SQL that makes it.';
