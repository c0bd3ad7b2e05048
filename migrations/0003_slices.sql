-- SPDX-License-Identifier: Apache-2.0
-- Which parts of a dataset were asked for when it was not asked as a whole: one row per key value
-- and interval. covered_from null: from the start; covered_to null: to the end.
create table catalog.slices (
    dataset varchar not null,
    key varchar not null,
    covered_from date,
    covered_to date,
    asked_at timestamp not null,
    load_id bigint not null
);
comment on table catalog.slices is 'Parts of a dataset that were asked for alone: key value, closed-open interval, when.';
