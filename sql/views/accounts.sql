-- SPDX-License-Identifier: Apache-2.0
-- about: The user's accounts, as the vendor says them. Private: left out of exported databases.
-- kind: view
-- grain: account_number
-- private: true
select
    a.account_number::varchar as account_number, -- the account
    a.authority_level::varchar as authority_level, -- what the user may do with it
    a.nickname::varchar as nickname, -- the user's own name for it
    a.account_type_name::varchar as account_type_name, -- Individual, Joint, IRA and the like
    a.is_closed::boolean as is_closed, -- true: closed
    a.closed_at::timestamp as closed_at, -- UTC; null: open
    a.opened_at::timestamp as opened_at, -- UTC
    a.created_at::timestamp as created_at, -- UTC
    a.day_trader_status::varchar as day_trader_status, -- true, false or the vendor's word
    a.is_firm_error::boolean as is_firm_error, -- the vendor's own
    a.is_firm_proprietary::boolean as is_firm_proprietary, -- the vendor's own
    a.is_futures_approved::boolean as is_futures_approved, -- true: may trade futures
    a.is_foreign::boolean as is_foreign, -- true: held from outside the USA
    a.is_test_drive::boolean as is_test_drive, -- true: no real account
    a.margin_or_cash::varchar as margin_or_cash, -- Margin or Cash
    a.external_id::varchar as external_id, -- the vendor's
    a.external_fdid::varchar as external_fdid, -- the vendor's
    a.ext_crm_id::varchar as ext_crm_id, -- the vendor's
    a.funding_date::date as funding_date, -- first deposit; null: none
    a.investment_objective::varchar as investment_objective, -- as declared
    a.liquidity_needs::varchar as liquidity_needs, -- as declared
    a.risk_tolerance::varchar as risk_tolerance, -- as declared
    a.investment_time_horizon::varchar as investment_time_horizon, -- as declared
    a.futures_account_purpose::varchar as futures_account_purpose, -- as declared
    a.suitable_options_level::varchar as suitable_options_level, -- which option trades are allowed
    a.submitting_user_id::varchar as submitting_user_id, -- the vendor's
    a.regulatory_domain::varchar as regulatory_domain, -- the vendor's
    a.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    a.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_accounts as a
where a.is_current
