-- SPDX-License-Identifier: Apache-2.0
-- about: Skew of each expiration of the newest chain at 25 and 10 delta. Delta is that of spot, of the side out of the money;
--   volatility is straight in delta between quotes. Signs are in the names: call_minus_put is positive where calls are dearer.
-- kind: view
-- grain: underlying, root, expiration_date, settlement
select
    e.underlying::varchar as underlying,
    e.root::varchar as root,
    e.expiration_date::date as expiration_date,
    e.settlement::varchar as settlement,
    e.snapshot_at::timestamp as snapshot_at,
    e.dte_calendar::integer as dte_calendar,
    e.atm_iv::double as atm_iv,
    e.iv_25d_call::double as iv_25d_call,
    e.iv_25d_put::double as iv_25d_put,
    e.iv_10d_call::double as iv_10d_call,
    e.iv_10d_put::double as iv_10d_put,
    (e.iv_25d_call - e.iv_25d_put)::double as risk_reversal_25d_call_minus_put, -- annualised fraction; null: one is missing
    (e.iv_10d_call - e.iv_10d_put)::double as risk_reversal_10d_call_minus_put, -- annualised fraction; null: one is missing
    ((e.iv_25d_call + e.iv_25d_put) / 2 - e.atm_iv)::double as butterfly_25d_wings_minus_atm, -- annualised fraction; null: one is missing
    ((e.iv_10d_call + e.iv_10d_put) / 2 - e.atm_iv)::double as butterfly_10d_wings_minus_atm, -- annualised fraction; null: one is missing
    (e.iv_25d_put - e.atm_iv)::double as put_skew_25d_put_minus_atm, -- annualised fraction; null: one is missing
    (e.iv_10d_put - e.atm_iv)::double as put_skew_10d_put_minus_atm -- annualised fraction; null: one is missing
from derived.latest_expirations as e
