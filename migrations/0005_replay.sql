-- SPDX-License-Identifier: Apache-2.0
-- What it takes to rebuild the raw layer as it stood after any load, told by load and not by clock:
-- which load retired a row, how far each version of a unit reached, and which command a load was of.
alter table raw.rejects add column replaced_by bigint;
alter table raw.calendar_days add column replaced_by bigint;
alter table raw.listing_horizons add column replaced_by bigint;
alter table raw.metastock_bars add column replaced_by bigint;
alter table raw.price_basis add column replaced_by bigint;
alter table raw.corporate_actions add column replaced_by bigint;
alter table raw.universes add column replaced_by bigint;
alter table catalog.unit_versions add column last_date date;

create table catalog.commands (
    load_id bigint not null,
    command varchar not null
);
comment on table catalog.commands is 'Append-only: the command every load_id was given to.';
