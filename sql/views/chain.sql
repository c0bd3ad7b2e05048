-- SPDX-License-Identifier: Apache-2.0
-- about: The newest option chain of each underlying, a row a contract, with forward, implied volatilities and Greeks. Bind
--   the underlying: its quotes are then fetched where they are stale.
-- kind: view
-- grain: occ_symbol
select
    i.occ_symbol::varchar as occ_symbol,
    i.underlying::varchar as underlying,
    i.root::varchar as root,
    i.expiration_date::date as expiration_date,
    i.contract_expiration_date::date as contract_expiration_date,
    i.settlement::varchar as settlement,
    k.kind::varchar as kind, -- monthly, quarterly, eom or weekly, of VIX vix_monthly or vix_weekly; null: no series has it
    i.strike::double as strike,
    i.option_type::varchar as option_type,
    i.exercise_style::varchar as exercise_style,
    i.multiplier::bigint as multiplier,
    i.is_adjusted::boolean as is_adjusted,
    i.bid::double as bid,
    i.ask::double as ask,
    i.mid::double as mid,
    i.mark::double as mark,
    i.bid_size::double as bid_size,
    i.ask_size::double as ask_size,
    i.last::double as last,
    i.volume::double as volume,
    i.open_interest::double as open_interest,
    i.spot::double as spot,
    i.forward::double as forward,
    i.forward_method::varchar as forward_method,
    i.rate::double as rate,
    i.dte_calendar::integer as dte_calendar,
    i.years::double as years,
    i.log_moneyness::double as log_moneyness,
    derived.intrinsic_of(i.spot, i.strike, i.option_type)::double as intrinsic, -- USD per share, of exercise now; null: no spot
    (i.mid - derived.intrinsic_of(i.spot, i.strike, i.option_type))::double as extrinsic, -- USD per share, mid less intrinsic; null: no mid or spot
    i.implied_volatility::double as implied_volatility,
    i.bid_iv::double as bid_iv,
    i.ask_iv::double as ask_iv,
    i.delta::double as delta,
    i.gamma::double as gamma,
    i.theta::double as theta,
    i.vega::double as vega,
    i.rho::double as rho,
    i.iv_reason::varchar as iv_reason,
    i.vendor_implied_volatility::double as vendor_implied_volatility,
    i.quote_time::timestamp as quote_time,
    (epoch(now()) - epoch(coalesce(i.quote_time, i.snapshot_at)))::double as quote_age_s, -- seconds since it was quoted, or the snapshot taken
    i.snapshot_at::timestamp as snapshot_at,
    i.source::varchar as source,
    i.known_at::timestamp as known_at
from derived.option_implied as i
join derived.latest_snapshots as l
    on l.underlying = i.underlying and l.snapshot = i.snapshot and l.snapshot_at = i.snapshot_at
-- Stocks share the rules of one series.
left join derived.expiration_series as k
    on k.root = case when i.root in ('SPX', 'SPXW', 'SPY', 'QQQ', 'VIX') then i.root else 'EQUITY' end
        and k.expiration_date = i.expiration_date
        and k.settlement = i.settlement
