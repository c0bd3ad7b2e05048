-- SPDX-License-Identifier: Apache-2.0
-- Raw tables of the bundled sources. The last six columns are the store's:
-- unit_id and line say where a row stood, known_at when the market could know it, load_id what wrote
-- it, replaced_at when its unit stopped saying it (null: it still does), is_current whether it is
-- the one current row of its grain. Rows are never deleted.
create table raw.rejects (
    dataset varchar not null,
    unit_id integer not null,
    file varchar not null,
    line integer,
    reason varchar not null,
    text varchar,
    load_id bigint not null,
    loaded_at timestamp not null,
    replaced_at timestamp
);

create table raw.calendar_days (
    market varchar,
    date date,
    is_trading_day boolean,
    open_utc timestamp,
    close_utc timestamp,
    is_early_close boolean,
    is_late_open boolean,
    holiday_name varchar,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);

create table raw.listing_horizons (
    programme varchar,
    root varchar,
    kind varchar,
    settlement varchar,
    iso_dow integer,
    month integer,
    listed_since date,
    first_expiration date,
    last_expiration date,
    days_ahead integer,
    months_ahead integer,
    reference varchar,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);

create table raw.metastock_bars (
    symbol varchar,
    date date,
    open double,
    high double,
    low double,
    close double,
    volume double,
    open_interest double,
    ticker varchar,
    per varchar,
    time varchar,
    source varchar,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);

create table raw.price_basis (
    source varchar,
    price_basis varchar,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);

create table raw.corporate_actions (
    symbol varchar,
    ex_date date,
    last_cum_date date,
    kind varchar,
    ratio double,
    cash double,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);

create table raw.universes (
    name varchar,
    symbol varchar,
    valid_from date,
    valid_to date,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null
);
