-- SPDX-License-Identifier: Apache-2.0
-- about: Strikes of the option chains as they were loaded last, the call and the put of each.
-- kind: view
-- grain: underlying, root, option_chain_type, expiration_date, settlement, strike
-- check: not_null(underlying, root, expiration_date, settlement, strike), unique(grain)
select
    r.symbol::varchar as underlying, -- upper case, share class after a point
    r.root::varchar as root, -- root of the contracts' symbols
    r.expiration_date::date as expiration_date, -- session on which it expires: Saturdays are moved to the session before
    r.settlement_type::varchar as settlement, -- AM: opening prices; PM: closing prices
    (
        case r.expiration_type
            when 'Regular' then case when r.symbol = 'VIX' then 'vix_monthly' else 'monthly' end
            when 'Weekly' then case when r.symbol = 'VIX' then 'vix_weekly' else 'weekly' end
            when 'Quarterly' then 'quarterly'
            when 'End-Of-Month' then 'eom'
        end
    )::varchar as kind, -- monthly, quarterly, eom or weekly, of VIX vix_monthly or vix_weekly; null: the vendor says another word
    r.strike::double as strike, -- USD per share
    r.call::varchar as call, -- OCC symbol of the call; null: not listed
    r.put::varchar as put, -- OCC symbol of the put; null: not listed
    r.call_streamer_symbol::varchar as call_streamer_symbol, -- dxFeed's symbol; null: not said
    r.put_streamer_symbol::varchar as put_streamer_symbol, -- dxFeed's symbol; null: not said
    r.shares_per_contract::bigint as shares_per_contract, -- shares a contract delivers, or stands for where it settles in cash
    (r.option_chain_type <> 'Standard')::boolean as is_adjusted, -- true: a corporate action changed what it delivers
    r.deliverables::varchar as deliverables, -- what a contract delivers, as JSON; null: cash
    r.option_chain_type::varchar as option_chain_type, -- Standard; Non-standard: adjusted
    -- Options on shares and funds are American; of index options OEX alone is (Cboe's contract specifications).
    (
        case
            when r.deliverables like '%"Shares"%' or r.symbol = 'OEX' then 'A'
            when r.symbol in ('SPX', 'XSP', 'XEO', 'NDX', 'XND', 'RUT', 'MRUT', 'DJX', 'VIX') then 'E'
        end
    )::varchar as exercise_style, -- E: European; A: American; null: not known
    r.vendor_expiration_date::date as vendor_expiration_date, -- as the vendor says it
    r.expiration_type::varchar as expiration_type, -- Regular, Weekly, Quarterly, End-Of-Month: the vendor's word
    r.tick_sizes::varchar as tick_sizes, -- value, threshold, as JSON
    r.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    'tastytrade'::varchar as source, -- where the chain comes from
    r.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_chains as r
where r.is_current
