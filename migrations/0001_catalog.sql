-- SPDX-License-Identifier: Apache-2.0
-- The refresh catalog: what there is, how old it may get, what became of every unit and load.
-- Instants are TIMESTAMP in UTC.
create schema raw;
create schema staged;
create schema derived;
create schema catalog;

create table catalog.migrations (
    version integer not null,
    name varchar not null,
    checksum varchar not null,
    applied_at timestamp not null
);
comment on table catalog.migrations is 'One row per applied migration; version is the file''s schema version.';

create table catalog.datasets (
    dataset varchar not null,
    kind varchar not null,
    source varchar,
    about varchar,
    grain varchar,
    keys varchar,
    time_column varchar,
    ttl varchar,
    revise varchar,
    max_stale varchar,
    max_stale_on_error varchar,
    checks varchar,
    requires varchar,
    is_local boolean not null,
    is_private boolean not null
);
comment on table catalog.datasets is 'One row per dataset: a raw resource (kind raw) or a SQL model (table, view, macro).';

create table catalog.dependencies (
    dataset varchar not null,
    upstream varchar not null
);
comment on table catalog.dependencies is 'Who reads whom, parsed from the SQL.';

create table catalog.state (
    dataset varchar not null,
    version varchar,
    fingerprint varchar,
    load_id bigint,
    changed_at timestamp,
    asked_at timestamp,
    rows bigint,
    upstream_versions varchar,
    error varchar,
    failed_at timestamp
);
comment on table catalog.state is 'Where each dataset stands: version is a hash of content, fingerprint one of the code that made it, asked_at when the world was last compared.';

create table catalog.units (
    unit_id integer not null,
    dataset varchar not null,
    key varchar not null,
    size bigint,
    mtime_ns bigint,
    content_hash varchar,
    version varchar,
    covered_from date,
    covered_to date,
    first_date date,
    last_date date,
    rows_in bigint not null,
    rows_accepted bigint not null,
    rows_refused bigint not null,
    has_duplicates boolean not null,
    load_id bigint not null,
    loaded_at timestamp not null,
    checked_at timestamp not null,
    is_vanished boolean not null,
    error varchar
);
comment on table catalog.units is 'The coverage ledger: one row per unit (file, symbol), written in the transaction of its rows. covered_from inclusive, covered_to exclusive; rows_accepted 0 is an empty interval.';

create table catalog.unit_versions (
    unit_id integer not null,
    dataset varchar not null,
    key varchar not null,
    content_hash varchar,
    size bigint,
    rows_in bigint not null,
    rows_accepted bigint not null,
    rows_refused bigint not null,
    rows_added bigint not null,
    rows_replaced bigint not null,
    load_id bigint not null,
    loaded_at timestamp not null
);
comment on table catalog.unit_versions is 'Append-only: one row per unit and content version ever loaded.';

create table catalog.unit_keys (
    dataset varchar not null,
    unit_id integer not null,
    key varchar not null
);
comment on table catalog.unit_keys is 'Which key values (symbols) a unit holds.';

create table catalog.changed_keys (
    load_id bigint not null,
    dataset varchar not null,
    key varchar
);
comment on table catalog.changed_keys is 'Which key values a load or rebuild changed; a null key means all of them.';

create table catalog.loads (
    load_id bigint not null,
    dataset varchar not null,
    batch_no integer not null,
    units integer not null,
    rows_in bigint not null,
    rows_accepted bigint not null,
    rows_refused bigint not null,
    rows_added bigint not null,
    rows_replaced bigint not null,
    loaded_at timestamp not null
);
comment on table catalog.loads is 'One row per committed batch; (load_id, dataset, batch_no) settles an ambiguous commit.';

create table catalog.decisions (
    load_id bigint not null,
    dataset varchar not null,
    verdict varchar not null,
    reasons varchar not null,
    decided_at timestamp not null,
    rows_in bigint,
    rows_accepted bigint,
    rows_refused bigint,
    source_calls integer,
    seconds double,
    error varchar
);
comment on table catalog.decisions is 'What each refresh decided about each dataset it considered, and what came of it.';

create table catalog.checks (
    dataset varchar not null,
    check_name varchar not null,
    failures bigint not null,
    sample varchar,
    load_id bigint not null,
    checked_at timestamp not null
);
comment on table catalog.checks is 'The latest outcome of each check; failures 0 = passed.';

create table catalog.notes (
    dataset varchar not null,
    unit varchar,
    code varchar not null,
    detail varchar not null,
    load_id bigint not null,
    noted_at timestamp not null
);
comment on table catalog.notes is 'Oddities of the last load of a unit or of a publication; shown in health.';

create table catalog.meta (
    name varchar not null,
    value varchar not null
);
comment on table catalog.meta is 'Facts about the file itself: generation it was last published as (0: never), last_load_id given out, and what other rooms note of it.';
insert into catalog.meta values ('generation', '0'), ('last_load_id', '0');

create table catalog.freshness (
    dataset varchar not null,
    kind varchar not null,
    verdict varchar not null,
    reasons varchar,
    root_asked_at timestamp,
    last_load_at timestamp,
    due_at timestamp,
    rows bigint,
    error varchar
);
comment on table catalog.freshness is 'Verdict of every dataset when the last refresh ended; due_at in market time cannot be computed in SQL.';
