-- SPDX-License-Identifier: Apache-2.0
-- about: Every row of every snapshot of option quotes as it was known at an instant (UTC), of all sources, one per
--   snapshot and contract; of a list of snapshots, or of all where it is null. The row whose contract is the underlying's own symbol holds its price.
-- kind: macro
create or replace macro option_quotes_at(known_until, snapshots) as table
with
files as (
    select
        f.symbol,
        f.snapshot,
        f.snapshot_at,
        f.contract,
        f.root,
        f.expiration_date,
        f.contract_expiration_date,
        f.settlement,
        f.strike,
        f.option_type,
        f.exercise_style,
        f.multiplier,
        f.is_adjusted,
        f.bid,
        f.ask,
        f.bid_size,
        f.ask_size,
        f.mark,
        f.last,
        f.volume,
        f.open_interest,
        f.spot as underlying_price,
        f.quote_time,
        nullif(f.vendor_implied_volatility, 0) as vendor_implied_volatility,
        'files' as source,
        f.known_at,
        f.load_id,
        f.line
    from raw.option_quotes as f
    where (snapshots is null or list_contains(snapshots, f.snapshot))
        and f.known_at <= known_until
        and (f.replaced_at is null or f.replaced_at > known_until)
),
asked as (
    select
        t.symbol,
        t.snapshot,
        t.snapshot_at,
        t.contract,
        t.root,
        t.expiration_date,
        t.contract_expiration_date,
        t.settlement,
        t.strike,
        t.option_type,
        t.exercise_style,
        t.multiplier,
        t.is_adjusted,
        t.bid,
        t.ask,
        t.bid_size,
        t.ask_size,
        t.mark,
        t.last,
        t.volume,
        t.open_interest,
        null::double as underlying_price,
        t.quote_time,
        null::double as vendor_implied_volatility,
        'tastytrade' as source,
        t.known_at,
        t.load_id,
        t.line
    from raw.tastytrade_option_quotes as t
    where (snapshots is null or list_contains(snapshots, t.snapshot))
        and t.known_at <= known_until
        and (t.replaced_at is null or t.replaced_at > known_until)
),
every as (
    select f.* from files as f
    union all
    select a.* from asked as a
)
select
    e.symbol,
    e.snapshot,
    e.snapshot_at,
    e.contract,
    e.root,
    e.expiration_date,
    e.contract_expiration_date,
    e.settlement,
    e.strike,
    e.option_type,
    e.exercise_style,
    e.multiplier,
    e.is_adjusted,
    e.bid,
    e.ask,
    e.bid_size,
    e.ask_size,
    e.mark,
    e.last,
    e.volume,
    e.open_interest,
    e.underlying_price,
    e.quote_time,
    e.vendor_implied_volatility,
    e.source,
    e.known_at,
    e.load_id
from every as e
qualify row_number() over (
    partition by e.symbol, e.snapshot, e.contract order by e.known_at desc, e.load_id desc, e.line desc, e.source
) = 1
