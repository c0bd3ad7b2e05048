-- SPDX-License-Identifier: Apache-2.0
-- Lists of symbols that come with ttapi.
-- Columns are as their source declares them, then the store's own seven.

create table raw.shipped_universes (
    name varchar,
    symbol varchar,
    as_of date,
    about varchar,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null,
    replaced_by bigint
);
