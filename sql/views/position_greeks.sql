-- SPDX-License-Identifier: Apache-2.0
-- about: Greeks of each leg you hold, signed quantity times multiplier: a short put has positive delta. Private: left out of
--   exported databases.
-- kind: view
-- grain: account_number, symbol, instrument_type
-- private: true
with
legs as (
    select
        p.account_number,
        p.symbol,
        p.instrument_type,
        replace(p.underlying_symbol, '/', '.') as underlying,
        p.quantity,
        coalesce(p.multiplier, 1) as multiplier,
        p.quantity * coalesce(p.multiplier, 1) as units,
        p.instrument_type in ('Equity', 'Index') as is_share,
        p.mark_price
    from main.positions as p
),
spots as (
    select
        s.underlying,
        s.spot
    from derived.option_snapshots as s
    join derived.latest_snapshots as l
        on l.underlying = s.underlying and l.snapshot = s.snapshot
)
select
    g.account_number::varchar as account_number, -- the account
    g.underlying::varchar as underlying, -- upper case
    g.symbol::varchar as symbol, -- the vendor's text of what is held
    g.instrument_type::varchar as instrument_type, -- Equity, Equity Option and the like
    c.expiration_date::date as expiration_date, -- null: not an option of the chain
    c.strike::double as strike, -- USD per share; null: not an option of the chain
    c.option_type::varchar as option_type, -- C: call; P: put; null: not an option of the chain
    g.quantity::double as quantity, -- shares or contracts, below zero: short
    g.multiplier::double as multiplier, -- shares a contract stands for, 1 for shares
    coalesce(c.spot, s.spot, case when g.is_share then g.mark_price end)::double as spot, -- USD per share of the underlying; null: not known
    coalesce(c.mid, g.mark_price)::double as price, -- USD per share of what is held; null: not quoted
    c.implied_volatility::double as implied_volatility, -- annualised fraction; null: none, see iv_reason
    case when g.is_share then g.units else g.units * c.delta end::double as delta, -- shares of the underlying; null: not known
    case when g.is_share then 0 else g.units * c.gamma end::double as gamma, -- shares per USD of spot; null: not known
    case when g.is_share then 0 else g.units * c.theta end::double as theta, -- USD per calendar day; null: not known
    case when g.is_share then 0 else g.units * c.vega end::double as vega, -- USD per vol point; null: not known
    case when g.is_share then 0 else g.units * c.rho end::double as rho, -- USD per percent point of rate; null: not known
    (case when g.is_share then null when s.underlying is null then 'no chain is held' when c.occ_symbol is null then 'not in the chain' else c.iv_reason end)::varchar as iv_reason, -- why there are no Greeks; null: there are
    c.snapshot_at::timestamp as snapshot_at -- UTC; when the chain was quoted; null: no option of it
from legs as g
left join main.chain as c
    on c.underlying = g.underlying and c.occ_symbol = g.symbol
left join spots as s
    on s.underlying = g.underlying
