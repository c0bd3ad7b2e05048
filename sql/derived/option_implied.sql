-- SPDX-License-Identifier: Apache-2.0
-- about: Every contract of every snapshot with its forward, implied volatilities and Greeks. Stored: a chain is then read in
--   milliseconds, and a new snapshot is computed once.
-- kind: table
-- grain: snapshot, occ_symbol
-- check: not_null(snapshot, underlying, occ_symbol, snapshot_at), unique(grain), range(implied_volatility, 0, 1000)
-- incremental: snapshot through derived.option_snapshots
select
    i.snapshot::varchar as snapshot, -- underlying and instant
    i.underlying::varchar as underlying, -- upper case
    i.snapshot_at::timestamp as snapshot_at, -- UTC; when the quotes were taken
    i.date::date as date, -- session they belong to, New York
    i.occ_symbol::varchar as occ_symbol, -- 21 characters: root padded to 6, yymmdd, C or P, strike x 1000
    i.root::varchar as root, -- root of the contract's symbol
    i.expiration_date::date as expiration_date, -- session on which it expires: Saturdays are moved to the session before
    i.contract_expiration_date::date as contract_expiration_date, -- as its symbol says
    i.settlement::varchar as settlement, -- AM: opening prices; PM: closing prices
    i.strike::double as strike, -- USD per share
    i.option_type::varchar as option_type, -- C: call; P: put
    i.exercise_style::varchar as exercise_style, -- E: European; A: American; null: not known
    i.multiplier::bigint as multiplier, -- shares a contract stands for
    i.is_adjusted::boolean as is_adjusted, -- true: a corporate action changed what it delivers
    i.bid::double as bid, -- USD per share; null: not quoted
    i.ask::double as ask, -- USD per share; null: not quoted
    i.mid::double as mid, -- USD per share, of a two-sided quote, or the mark where the source gives no quotes; null: neither
    i.mark::double as mark, -- USD per share, the source's own; null: not given
    i.bid_size::double as bid_size, -- contracts; null: not given
    i.ask_size::double as ask_size, -- contracts; null: not given
    i.last::double as last, -- USD per share, of the last trade; null: not given
    i.volume::double as volume, -- contracts of the session; null: not given
    i.open_interest::double as open_interest, -- contracts at the end of the session before; null: not given
    i.spot::double as spot, -- USD per share of the underlying; null: not said
    i.forward::double as forward, -- USD per share at expiration; null: neither parity nor spot shows it
    i.forward_method::varchar as forward_method, -- parity: of put-call parity; carry: of spot, rate and announced dividend; null: none
    i.forward_strikes::integer as forward_strikes, -- strikes whose calls and puts showed it
    i.rate::double as rate, -- continuous, fraction a year, to expiration
    i.carry_yield::double as carry_yield, -- continuous, fraction a year: what the forward says of dividends and borrowing; null: no forward
    i.years::double as years, -- calendar years of 365 days to expiration, to the second
    i.dte_calendar::integer as dte_calendar, -- calendar days to expiration
    i.log_moneyness::double as log_moneyness, -- ln(strike / forward)
    i.implied_volatility::double as implied_volatility, -- annualised fraction, of mid; null: see iv_reason
    i.bid_iv::double as bid_iv, -- annualised fraction, of bid; null: none
    i.ask_iv::double as ask_iv, -- annualised fraction, of ask; null: none
    i.greeks.delta::double as delta, -- per USD of spot
    i.greeks.gamma::double as gamma, -- delta per USD of spot
    i.greeks.theta::double as theta, -- USD per share and calendar day
    i.greeks.vega::double as vega, -- USD per share and vol point
    i.greeks.rho::double as rho, -- USD per share and percent point of rate
    i.iv_reason::varchar as iv_reason, -- why implied_volatility is null: no quote, one-sided quote, zero bid, crossed quote, locked quote, wide quote, stale quote, adjusted contract, no spot, spot in another basis, no forward, expired, out of line, below intrinsic, above upper bound, vega too small; null: it is not
    i.vendor_implied_volatility::double as vendor_implied_volatility, -- annualised fraction, as the source published; null: not
    i.quote_time::timestamp as quote_time, -- UTC; when it was quoted; null: not given
    i.source::varchar as source, -- files or tastytrade
    i.known_at::timestamp as known_at -- UTC; when it was loaded, or could be known
from derived.implied_at(timestamp '9999-12-31', getvariable('rebuilt_keys')) as i
join derived.option_snapshots as s
    on s.underlying = i.underlying and s.snapshot = i.snapshot
