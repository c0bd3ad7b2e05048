-- SPDX-License-Identifier: Apache-2.0
-- about: Options on futures as the vendor lists them now, a row a contract, of every root of a product.
--   Bind the product: where product_code = 'ES'; its chain is then fetched where it is stale.
-- kind: view
-- grain: symbol
with
contracts as (
    select
        s.*,
        s.call as symbol,
        'C' as option_type,
        s.call_streamer_symbol as streamer_symbol
    from raw.tastytrade_future_options as s
    where s.is_current and s.call is not null
    union all
    select
        s.*,
        s.put as symbol,
        'P' as option_type,
        s.put_streamer_symbol as streamer_symbol
    from raw.tastytrade_future_options as s
    where s.is_current and s.put is not null
)
select
    c.symbol::varchar as symbol, -- the vendor's text: ./ESZ6 EW3N6 260717C4400
    c.product_code::varchar as product_code, -- product of the future, without a slash: ES
    c.underlying_symbol::varchar as underlying_symbol, -- the future it delivers: /ESZ6
    c.option_root_symbol::varchar as option_root_symbol, -- root of the options: EW3
    c.option_contract_symbol::varchar as option_contract_symbol, -- root, month and year: EW3N6
    c.expiration_date::date as expiration_date, -- last day, as the vendor says it
    c.settlement_type::varchar as settlement, -- AM or PM
    c.strike::double as strike, -- in the future's price
    c.option_type::varchar as option_type, -- C: call; P: put
    c.streamer_symbol::varchar as streamer_symbol, -- dxFeed's symbol; null: not said
    (
        case c.exercise_style when 'American' then 'A' when 'European' then 'E' end
    )::varchar as exercise_style, -- E: European; A: American; null: the vendor says another word
    c.expiration_type::varchar as expiration_type, -- Regular, Weekly, End-Of-Month: the vendor's word
    c.expires_at::timestamp as expires_at, -- UTC
    c.stops_trading_at::timestamp as stops_trading_at, -- UTC
    c.underlying_streamer_symbol::varchar as underlying_streamer_symbol, -- dxFeed's symbol of the future; null: not said
    c.underlying_expiration_date::date as underlying_expiration_date, -- last day of the future; null: not said
    c.underlying_maturity_date::date as underlying_maturity_date, -- of the future; null: not said
    c.is_underlying_active_month::boolean as is_underlying_active_month, -- true: the future the vendor shows first; null: not said
    c.notional_value::double as notional_value, -- USD, the vendor's
    c.display_factor::double as display_factor, -- by which the vendor's price is multiplied to be shown
    c.strike_factor::double as strike_factor, -- by which a strike is multiplied to be shown
    c.asset::varchar as asset, -- the vendor's
    c.root_symbol::varchar as root_symbol, -- root of the product: /ES
    c.tick_sizes::varchar as tick_sizes, -- value, threshold, as JSON
    c.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    'tastytrade'::varchar as source, -- where the chain comes from
    c.known_at::timestamp as known_at -- UTC; when it was loaded
from contracts as c
