-- SPDX-License-Identifier: Apache-2.0
-- What dxFeed says: daily candles.
-- Columns are as their sources declare them, then the store's own seven.

create table raw.dxlink_candles (
    symbol varchar,
    streamer_symbol varchar,
    tho boolean,
    period varchar,
    date date,
    time timestamp,
    sequence bigint,
    count bigint,
    open double,
    high double,
    low double,
    close double,
    volume double,
    vwap double,
    bid_volume double,
    ask_volume double,
    imp_volatility double,
    open_interest double,
    unit_id integer not null,
    line integer,
    known_at timestamp not null,
    load_id bigint not null,
    replaced_at timestamp,
    is_current boolean not null,
    replaced_by bigint
);
