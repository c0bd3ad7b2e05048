-- SPDX-License-Identifier: Apache-2.0
-- about: What happened in each account, oldest loads included. Private: left out of exported databases.
-- kind: view
-- grain: account_number, id
-- private: true
select
    t.id::bigint as id, -- the vendor's number of the transaction
    t.account_number::varchar as account_number, -- the account
    t.date::date as date, -- the exchange's day
    t.executed_at::timestamp as executed_at, -- UTC
    t.type::varchar as type, -- Trade, Money Movement, Receive Deliver
    t.sub_type::varchar as sub_type, -- Buy to Open, Dividend, Expiration and the like
    t.action::varchar as action, -- what was done; null: no trade
    t.description::varchar as description, -- in the vendor's words
    t.symbol::varchar as symbol, -- what was traded; null: cash alone
    t.instrument_type::varchar as instrument_type, -- of that
    t.underlying_symbol::varchar as underlying_symbol, -- of that
    t.quantity::double as quantity, -- shares or contracts, magnitude
    t.price::double as price, -- USD per share
    t.value::decimal(20,6) as value, -- USD before fees; a debit is below zero
    t.net_value::decimal(20,6) as net_value, -- USD after fees; a debit is below zero
    t.commission::decimal(20,6) as commission, -- USD; a debit is below zero
    t.clearing_fees::decimal(20,6) as clearing_fees, -- USD; a debit is below zero
    t.regulatory_fees::decimal(20,6) as regulatory_fees, -- USD; a debit is below zero
    t.proprietary_index_option_fees::decimal(20,6) as proprietary_index_option_fees, -- USD; a debit is below zero
    t.other_charge::decimal(20,6) as other_charge, -- USD; a debit is below zero
    t.order_id::bigint as order_id, -- the vendor's number of the order; null: none
    t.leg_count::bigint as leg_count, -- legs of that order
    t.is_estimated_fee::boolean as is_estimated_fee, -- true: fees may change
    t.currency::varchar as currency, -- of the amounts; null: USD
    t.exchange::varchar as exchange, -- where it was filled
    t.exec_id::varchar as exec_id, -- of the fill
    t.destination_venue::varchar as destination_venue, -- where it was sent
    t.reverses_id::bigint as reverses_id, -- the transaction that this one takes back; null: none
    t.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    t.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_transactions as t
where t.is_current
