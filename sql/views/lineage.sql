-- SPDX-License-Identifier: Apache-2.0
-- about: Where the columns of every view, table and macro come from, one step up: follow upstream_relation
--   to the raw tables. Joins and filters, which decide what rows there are, are no part of it.
-- kind: view
-- grain: relation, column_name, upstream_relation, upstream_column
select
    l.relation::varchar as relation, -- the view, table or macro
    l.column_name::varchar as column_name, -- its column; a scalar macro has one, of its own name
    l.upstream_relation::varchar as upstream_relation, -- what the column reads; null: no column, a constant or a parameter, or it was not traced
    l.upstream_column::varchar as upstream_column, -- the column it reads; null beside a relation: its rows are counted
    l.expression::varchar as expression -- the SQL that makes the column, or why it was not traced; tables with a builder: the SQL they must equal
from catalog.lineage as l
