-- SPDX-License-Identifier: Apache-2.0
-- about: Where the chains that were loaded and the exchanges' rules disagree about expirations: of roots
--   with a chain, from its first expiration to its last, as far as the rules reach and expect a listing by then.
--   The chain says what was tradable; a stock's chain is held against the rules of EQUITY.
-- kind: view
-- grain: root, expiration_date, settlement, difference
with
chains as (
    select
        s.root,
        s.rule_root,
        s.expiration_date,
        s.settlement,
        max(s.symbol) as underlying,
        max(s.kind) as kind,
        max(s.changed_at) as changed_at
    from staged.chain_expirations as s
    where s.is_listed
        and s.expiration_date <= (select max(r.expiration_date) from derived.expiration_series as r where r.root = s.rule_root)
    group by s.root, s.rule_root, s.expiration_date, s.settlement
),
spans as (
    select
        c.root,
        c.rule_root,
        max(c.underlying) as underlying,
        min(c.expiration_date) as first_date,
        max(c.expiration_date) as last_date,
        max(c.changed_at)::date as seen_on
    from chains as c
    group by c.root, c.rule_root
),
rules as (
    select
        s.root,
        s.underlying,
        r.expiration_date,
        r.settlement,
        r.kind
    from spans as s
    join derived.expiration_series as r
        on r.root = s.rule_root
        and r.expiration_date between s.first_date and s.last_date
        and r.listed_from <= s.seen_on
),
keyed as (
    select
        coalesce(c.root, r.root) as root,
        coalesce(c.underlying, r.underlying) as underlying,
        c.expiration_date as chain_date,
        c.settlement as chain_settlement,
        c.kind as chain_kind,
        r.expiration_date as rule_date,
        r.settlement as rule_settlement,
        r.kind as rule_kind
    from chains as c
    full join rules as r
        on r.root = c.root and r.expiration_date = c.expiration_date and r.settlement = c.settlement
    where c.root is null or r.root is null or c.kind is distinct from r.kind
),
-- What only one side has is the other's of the same day and another settlement, else of the same
-- kind within four days, the nearest.
pairs as (
    select
        c.root,
        c.chain_date,
        c.chain_settlement,
        r.rule_date,
        r.rule_settlement,
        r.rule_kind
    from keyed as c
    join keyed as r
        on r.root = c.root
        and r.chain_date is null
        and (
            r.rule_date = c.chain_date
            or r.rule_settlement = c.chain_settlement and r.rule_kind = c.chain_kind and abs(r.rule_date - c.chain_date) <= 4
        )
    where c.rule_date is null
    qualify
        row_number() over (
            partition by c.root, c.chain_date, c.chain_settlement
            order by abs(r.rule_date - c.chain_date), r.rule_date, r.rule_settlement
        ) = 1
        and row_number() over (
            partition by r.root, r.rule_date, r.rule_settlement
            order by abs(r.rule_date - c.chain_date), c.chain_date, c.chain_settlement
        ) = 1
),
matched as (
    select
        k.root,
        k.underlying,
        k.chain_date,
        k.chain_settlement,
        k.chain_kind,
        coalesce(k.rule_date, p.rule_date) as rule_date,
        coalesce(k.rule_settlement, p.rule_settlement) as rule_settlement,
        coalesce(k.rule_kind, p.rule_kind) as rule_kind
    from keyed as k
    left join pairs as p
        on p.root = k.root and p.chain_date = k.chain_date and p.chain_settlement = k.chain_settlement
    left join pairs as o
        on o.root = k.root and o.rule_date = k.rule_date and o.rule_settlement = k.rule_settlement and k.chain_date is null
    where o.root is null
)
select
    m.root::varchar as root, -- root of the contracts' symbols; VIXW counts as VIX
    m.underlying::varchar as underlying, -- upper case, share class after a point
    coalesce(m.chain_date, m.rule_date)::date as expiration_date, -- the chain's, else the rule's
    coalesce(m.chain_settlement, m.rule_settlement)::varchar as settlement, -- AM or PM: the chain's, else the rule's
    (
        case
            when m.rule_date is null then 'chain_only'
            when m.chain_date is null then 'rule_only'
            when m.chain_date <> m.rule_date then 'moved'
            else 'same_date_other_kind'
        end
    )::varchar as difference, -- rule_only, chain_only, moved (to a day near by), same_date_other_kind (or another settlement)
    m.chain_date::date as chain_expiration_date, -- null: only the rules have it
    m.chain_settlement::varchar as chain_settlement, -- AM or PM; null: only the rules have it
    m.chain_kind::varchar as chain_kind, -- as the vendor calls it; null: only the rules have it
    m.rule_date::date as rule_expiration_date, -- null: only the chain has it
    m.rule_settlement::varchar as rule_settlement, -- AM or PM; null: only the chain has it
    m.rule_kind::varchar as rule_kind -- null: only the chain has it
from matched as m
