-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility of each expiration in the newest market metrics of each symbol.
-- kind: view
-- grain: symbol, expiration_date, option_chain_type, settlement_type
with
items as (
    select
        m.symbol,
        m.updated_at,
        unnest(json_extract(m.option_expiration_implied_volatilities, '$[*]')) as item
    from main.market_metrics as m
),
fields as (
    select
        i.symbol,
        i.updated_at,
        try_cast(json_extract_string(i.item, '$."expiration-date"') as date) as vendor_expiration_date,
        json_extract_string(i.item, '$."option-chain-type"') as option_chain_type,
        json_extract_string(i.item, '$."settlement-type"') as settlement_type,
        try_cast(json_extract_string(i.item, '$."implied-volatility"') as double) as implied_volatility
    from items as i
)
select
    f.symbol::varchar as symbol, -- upper case, share class after a point
    f.updated_at::timestamp as updated_at, -- UTC: when the vendor computed it
    (case when isodow(f.vendor_expiration_date) = 6 then c.session_on_or_before else f.vendor_expiration_date end)::date as expiration_date, -- session on which it expires: Saturdays are moved to the session before
    f.option_chain_type::varchar as option_chain_type, -- Standard; Non-standard: adjusted
    f.settlement_type::varchar as settlement_type, -- AM: opening prices; PM: closing prices
    f.implied_volatility::double as implied_volatility, -- annualised fraction; null: the vendor has none
    f.vendor_expiration_date::date as vendor_expiration_date -- as the vendor says it
from fields as f
left join derived.calendar as c
    on c.market = 'XNYS' and c.date = f.vendor_expiration_date
