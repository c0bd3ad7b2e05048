-- SPDX-License-Identifier: Apache-2.0
-- about: Every expiration that was seen in a chain of standard contracts and not taken back before it
--   came. Stored: every series of expirations reads it, and the chains of 507 underlyings are a million rows.
-- kind: table
-- grain: symbol, root, expiration_date, settlement
-- check: not_null(symbol, root, expiration_date, settlement), unique(grain)
-- incremental: symbol
with
seen as (
    select
        r.*,
        -- The weeklies' own root is one series with the monthlies, as the rules have it.
        case r.root when 'VIXW' then 'VIX' else r.root end as series_root
    from raw.tastytrade_chains as r
    where r.option_chain_type = 'Standard' and (r.replaced_at is null or r.replaced_at >= r.expiration_date)
)
select
    s.symbol::varchar as symbol, -- the underlying, upper case, share class after a point
    s.series_root::varchar as root, -- root of the contracts' symbols; VIXW counts as VIX
    s.expiration_date::date as expiration_date, -- session on which it expires: Saturdays are moved to the session before
    s.settlement_type::varchar as settlement, -- AM: opening prices; PM: closing prices
    arg_max(
        case s.expiration_type
            when 'Regular' then case when s.symbol = 'VIX' then 'vix_monthly' else 'monthly' end
            when 'Weekly' then case when s.symbol = 'VIX' then 'vix_weekly' else 'weekly' end
            when 'Quarterly' then 'quarterly'
            when 'End-Of-Month' then 'eom'
        end,
        s.known_at
    )::varchar as kind, -- as the vendor calls it; null: by a word of its own
    arg_max(s.vendor_expiration_date, s.known_at)::date as vendor_expiration_date, -- as the vendor says it
    -- An index without rules of its own is compared with none.
    max(
        case
            when s.series_root in ('SPX', 'SPXW', 'SPY', 'QQQ', 'VIX') then s.series_root
            when s.deliverables like '%"Shares"%' then 'EQUITY'
        end
    )::varchar as rule_root, -- whose rules say when it expires; null: nobody's
    min(s.known_at)::timestamp as first_seen_at, -- UTC; when a chain was first loaded that has it
    max(s.known_at)::timestamp as changed_at, -- UTC; when the newest of its contracts was first loaded
    bool_or(s.is_current)::boolean as is_listed -- true: the chain as it stands has it
from seen as s
group by s.symbol, s.series_root, s.expiration_date, s.settlement_type
