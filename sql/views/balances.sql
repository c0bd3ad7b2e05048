-- SPDX-License-Identifier: Apache-2.0
-- about: What each account is worth now, a row a currency. Private: left out of exported databases.
-- kind: view
-- grain: account_number, currency
-- private: true
select
    b.account_number::varchar as account_number, -- the account
    b.currency::varchar as currency, -- of every amount; null: USD
    b.cash_balance::decimal(20,6) as cash_balance, -- below zero: owed
    b.net_liquidating_value::decimal(20,6) as net_liquidating_value, -- what closing everything at the mark would leave
    b.equity_buying_power::decimal(20,6) as equity_buying_power, -- for shares
    b.derivative_buying_power::decimal(20,6) as derivative_buying_power, -- for options
    b.day_trading_buying_power::decimal(20,6) as day_trading_buying_power, -- within the day
    b.used_derivative_buying_power::decimal(20,6) as used_derivative_buying_power, -- bound by options
    b.effective_cryptocurrency_buying_power::decimal(20,6) as effective_cryptocurrency_buying_power, -- for cryptocurrencies
    b.available_trading_funds::decimal(20,6) as available_trading_funds, -- free for new trades
    b.cash_available_to_withdraw::decimal(20,6) as cash_available_to_withdraw, -- free to leave
    b.pending_cash::decimal(20,6) as pending_cash, -- not settled; a debit is below zero
    b.long_equity_value::decimal(20,6) as long_equity_value, -- shares held
    b.short_equity_value::decimal(20,6) as short_equity_value, -- shares owed, magnitude
    b.long_derivative_value::decimal(20,6) as long_derivative_value, -- options held
    b.short_derivative_value::decimal(20,6) as short_derivative_value, -- options owed, magnitude
    b.long_index_derivative_value::decimal(20,6) as long_index_derivative_value, -- index options held
    b.short_index_derivative_value::decimal(20,6) as short_index_derivative_value, -- index options owed, magnitude
    b.long_futures_value::decimal(20,6) as long_futures_value, -- futures held
    b.short_futures_value::decimal(20,6) as short_futures_value, -- futures owed, magnitude
    b.long_futures_derivative_value::decimal(20,6) as long_futures_derivative_value, -- options on futures held
    b.short_futures_derivative_value::decimal(20,6) as short_futures_derivative_value, -- options on futures owed, magnitude
    b.long_margineable_value::decimal(20,6) as long_margineable_value, -- lendable holdings
    b.short_margineable_value::decimal(20,6) as short_margineable_value, -- lendable debts, magnitude
    b.long_cryptocurrency_value::decimal(20,6) as long_cryptocurrency_value, -- cryptocurrencies held
    b.short_cryptocurrency_value::decimal(20,6) as short_cryptocurrency_value, -- cryptocurrencies owed, magnitude
    b.long_bond_value::decimal(20,6) as long_bond_value, -- bonds held
    b.long_fixed_income_security_value::decimal(20,6) as long_fixed_income_security_value, -- fixed income held
    b.margin_equity::decimal(20,6) as margin_equity, -- equity that margin is counted on
    b.maintenance_requirement::decimal(20,6) as maintenance_requirement, -- to keep what is held
    b.maintenance_excess::decimal(20,6) as maintenance_excess, -- equity above that; below zero: a call
    b.maintenance_call_value::decimal(20,6) as maintenance_call_value, -- call outstanding
    b.reg_t_margin_requirement::decimal(20,6) as reg_t_margin_requirement, -- to open what is held
    b.reg_t_call_value::decimal(20,6) as reg_t_call_value, -- call outstanding
    b.day_trading_call_value::decimal(20,6) as day_trading_call_value, -- call outstanding
    b.day_equity_call_value::decimal(20,6) as day_equity_call_value, -- call outstanding
    b.day_trade_excess::decimal(20,6) as day_trade_excess, -- above what day trading asks
    b.futures_margin_requirement::decimal(20,6) as futures_margin_requirement, -- of futures
    b.futures_overnight_margin_requirement::decimal(20,6) as futures_overnight_margin_requirement, -- of futures, overnight
    b.futures_intraday_margin_requirement::decimal(20,6) as futures_intraday_margin_requirement, -- of futures, within the day
    b.equity_offering_margin_requirement::decimal(20,6) as equity_offering_margin_requirement, -- of offerings
    b.bond_margin_requirement::decimal(20,6) as bond_margin_requirement, -- of bonds
    b.fixed_income_security_margin_requirement::decimal(20,6) as fixed_income_security_margin_requirement, -- of fixed income
    b.cryptocurrency_margin_requirement::decimal(20,6) as cryptocurrency_margin_requirement, -- of cryptocurrencies
    b.pending_margin_interest::decimal(20,6) as pending_margin_interest, -- accrued, not charged
    b.unsettled_cryptocurrency_fiat_amount::decimal(20,6) as unsettled_cryptocurrency_fiat_amount, -- a debit is below zero
    b.closed_loop_available_balance::decimal(20,6) as closed_loop_available_balance, -- may only leave the way it came
    b.total_settle_balance::decimal(20,6) as total_settle_balance, -- settled cash
    b.apex_starting_day_margin_equity::decimal(20,6) as apex_starting_day_margin_equity, -- of the clearing house, at the start of the day
    b.buying_power_adjustment::decimal(20,6) as buying_power_adjustment, -- a debit is below zero
    b.sma_equity_option_buying_power::decimal(20,6) as sma_equity_option_buying_power, -- of the special memorandum account
    b.special_memorandum_account_value::decimal(20,6) as special_memorandum_account_value, -- of the special memorandum account
    b.special_memorandum_account_apex_adjustment::decimal(20,6) as special_memorandum_account_apex_adjustment, -- of the clearing house
    b.time_of_day::varchar as time_of_day, -- BOD or EOD of a snapshot; null: now
    b.snapshot_date::date as snapshot_date, -- the day it stands for
    b.updated_at::timestamp as updated_at, -- UTC
    b.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    b.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_balances as b
where b.is_current
