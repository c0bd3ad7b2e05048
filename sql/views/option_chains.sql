-- SPDX-License-Identifier: Apache-2.0
-- about: Option contracts as the vendor's chains list them now, a row a contract, of every root of an
--   underlying. Bind the underlying: its chain is then fetched where it is stale.
-- kind: view
-- grain: occ_symbol
with
contracts as (
    select
        s.*,
        s.call as occ_symbol,
        'C' as option_type,
        s.call_streamer_symbol as streamer_symbol
    from staged.chain_strikes as s
    where s.call is not null
    union all
    select
        s.*,
        s.put as occ_symbol,
        'P' as option_type,
        s.put_streamer_symbol as streamer_symbol
    from staged.chain_strikes as s
    where s.put is not null
)
select
    c.occ_symbol::varchar as occ_symbol, -- 21 characters: root padded to 6, yymmdd, C or P, strike x 1000
    c.underlying::varchar as underlying,
    c.root::varchar as root,
    c.expiration_date::date as expiration_date,
    c.settlement::varchar as settlement,
    c.kind::varchar as kind,
    c.strike::double as strike,
    c.option_type::varchar as option_type, -- C: call; P: put
    c.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol; null: not said
    c.shares_per_contract::bigint as shares_per_contract,
    c.is_adjusted::boolean as is_adjusted,
    c.deliverables::varchar as deliverables,
    c.option_chain_type::varchar as option_chain_type,
    c.exercise_style::varchar as exercise_style,
    c.vendor_expiration_date::date as vendor_expiration_date,
    c.expiration_type::varchar as expiration_type,
    c.tick_sizes::varchar as tick_sizes,
    c.extra::varchar as extra,
    c.source::varchar as source,
    c.known_at::timestamp as known_at
from contracts as c
