-- SPDX-License-Identifier: Apache-2.0
-- about: The option chain of one underlying as it could have been known on a day (its whole day, New York) or at an instant
--   (UTC): chain_asof('AAPL', '2014-06-05'). Reads raw by key and known_at, and computes as chain does.
-- kind: macro
create or replace macro chain_asof(underlying, as_of) as table
with
-- The newest of the snapshots of that time.
newest as (
    select max(q.snapshot) as snapshot
    from (
        select f.snapshot
        from raw.option_quotes as f
        where f.symbol = upper(underlying)
            and f.snapshot_at <= derived.end_of_knowledge(as_of)
            and f.known_at <= derived.end_of_knowledge(as_of)
            and (f.replaced_at is null or f.replaced_at > derived.end_of_knowledge(as_of))
        union all
        select t.snapshot
        from raw.tastytrade_option_quotes as t
        where t.symbol = upper(underlying)
            and t.snapshot_at <= derived.end_of_knowledge(as_of)
            and t.known_at <= derived.end_of_knowledge(as_of)
            and (t.replaced_at is null or t.replaced_at > derived.end_of_knowledge(as_of))
    ) as q
)
select
    i.occ_symbol::varchar as occ_symbol, -- 21 characters: root padded to 6, yymmdd, C or P, strike x 1000
    i.underlying::varchar as underlying, -- upper case
    i.root::varchar as root, -- root of the contract's symbol
    i.expiration_date::date as expiration_date, -- session on which it expires
    i.contract_expiration_date::date as contract_expiration_date, -- as its symbol says
    i.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    k.kind::varchar as kind, -- monthly, quarterly, eom or weekly; null: no series has it
    i.strike::double as strike, -- USD per share
    i.option_type::varchar as option_type, -- C: call; P: put
    i.exercise_style::varchar as exercise_style, -- E: European; A: American; null: not known
    i.multiplier::bigint as multiplier, -- shares a contract stands for
    i.is_adjusted::boolean as is_adjusted, -- true: a corporate action changed what it delivers
    i.bid::double as bid, -- USD per share; null: not quoted
    i.ask::double as ask, -- USD per share; null: not quoted
    i.mid::double as mid, -- USD per share; null: no quote
    i.mark::double as mark, -- USD per share, the source's own; null: not given
    i.bid_size::double as bid_size, -- contracts; null: not given
    i.ask_size::double as ask_size, -- contracts; null: not given
    i.last::double as last, -- USD per share; null: not given
    i.volume::double as volume, -- contracts; null: not given
    i.open_interest::double as open_interest, -- contracts; null: not given
    i.spot::double as spot, -- USD per share of the underlying; null: not said
    i.forward::double as forward, -- USD per share at expiration; null: none
    i.forward_method::varchar as forward_method, -- parity or carry; null: no forward
    i.rate::double as rate, -- continuous, fraction a year
    i.dte_calendar::integer as dte_calendar, -- calendar days to expiration
    i.years::double as years, -- calendar years of 365 days to expiration
    i.log_moneyness::double as log_moneyness, -- ln(strike / forward)
    derived.intrinsic_of(i.spot, i.strike, i.option_type)::double as intrinsic, -- USD per share; null: no spot
    (i.mid - derived.intrinsic_of(i.spot, i.strike, i.option_type))::double as extrinsic, -- USD per share; null: no mid or spot
    i.implied_volatility::double as implied_volatility, -- annualised fraction; null: see iv_reason
    i.bid_iv::double as bid_iv, -- annualised fraction, of bid; null: none
    i.ask_iv::double as ask_iv, -- annualised fraction, of ask; null: none
    i.greeks.delta::double as delta, -- per USD of spot
    i.greeks.gamma::double as gamma, -- delta per USD of spot
    i.greeks.theta::double as theta, -- USD per share and calendar day
    i.greeks.vega::double as vega, -- USD per share and vol point
    i.greeks.rho::double as rho, -- USD per share and percent point of rate
    i.iv_reason::varchar as iv_reason, -- why implied_volatility is null: no quote, one-sided quote, zero bid, crossed quote, locked quote, wide quote, stale quote, adjusted contract, no spot, spot in another basis, no forward, expired, out of line, below intrinsic, above upper bound, vega too small; null: it is not
    i.vendor_implied_volatility::double as vendor_implied_volatility, -- annualised fraction, as published; null: not
    i.quote_time::timestamp as quote_time, -- UTC; null: not given
    (epoch(derived.end_of_knowledge(as_of)) - epoch(coalesce(i.quote_time, i.snapshot_at)))::double as quote_age_s, -- seconds at as_of
    i.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    i.source::varchar as source, -- files or tastytrade
    i.known_at::timestamp as known_at -- UTC; when it could be known
from derived.implied_at(derived.end_of_knowledge(as_of), [(select n.snapshot from newest as n)]) as i
join newest as w
    on w.snapshot = i.snapshot
left join derived.expiration_series as k
    on k.root = case when i.root in ('SPX', 'SPXW', 'SPY', 'QQQ', 'VIX') then i.root else 'EQUITY' end
        and k.expiration_date = i.expiration_date
        and k.settlement = i.settlement
where i.underlying = upper(underlying)
