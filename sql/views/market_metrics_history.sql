-- SPDX-License-Identifier: Apache-2.0
-- about: Implied volatility, its rank, liquidity, dividends and the next report per symbol, each update that
--   was loaded. The columns that end in _pct are percent, as the vendor says them; others are fractions.
-- kind: view
-- grain: symbol, updated_at
select
    m.symbol::varchar as symbol, -- upper case, share class after a point
    m.updated_at::timestamp as updated_at, -- UTC: when the vendor computed the row
    m.implied_volatility_index::double as implied_volatility_index, -- fraction a year, of about 30 days
    m.implied_volatility_index_5_day_change::double as implied_volatility_index_5_day_change, -- fraction a year
    m.implied_volatility_index_15_day::double as implied_volatility_index_15_day, -- fraction a year; null: not said
    m.implied_volatility_index_rank::double as implied_volatility_index_rank, -- fraction of the 52-week range
    m.tos_implied_volatility_index_rank::double as tos_implied_volatility_index_rank, -- fraction of the 52-week range
    m.tw_implied_volatility_index_rank::double as tw_implied_volatility_index_rank, -- fraction of the 52-week range
    m.tos_implied_volatility_index_rank_updated_at::timestamp as tos_implied_volatility_index_rank_updated_at, -- UTC
    m.implied_volatility_index_rank_source::varchar as implied_volatility_index_rank_source, -- which of the two ranks is shown
    m.implied_volatility_percentile::double as implied_volatility_percentile, -- fraction of days of the past year below
    m.implied_volatility_updated_at::timestamp as implied_volatility_updated_at, -- UTC
    m.implied_volatility_30_day_pct::double as implied_volatility_30_day_pct, -- percent a year
    m.historical_volatility_30_day_pct::double as historical_volatility_30_day_pct, -- percent a year
    m.historical_volatility_60_day_pct::double as historical_volatility_60_day_pct, -- percent a year
    m.historical_volatility_90_day_pct::double as historical_volatility_90_day_pct, -- percent a year
    m.iv_hv_30_day_difference_pct::double as iv_hv_30_day_difference_pct, -- percentage points
    m.liquidity_value::double as liquidity_value, -- the vendor's measure
    m.liquidity_rank::double as liquidity_rank, -- fraction
    m.liquidity_rating::bigint as liquidity_rating, -- 1 to 4, more is better
    m.liquidity_running_state::varchar as liquidity_running_state, -- the vendor's sums
    m.option_expiration_implied_volatilities::varchar as option_expiration_implied_volatilities, -- by expiration: date, chain type, settlement, fraction a year
    m.beta::double as beta, -- against SPY
    m.beta_updated_at::timestamp as beta_updated_at, -- UTC
    m.corr_spy_3month::double as corr_spy_3month, -- correlation with SPY
    m.dividend_rate_per_share::double as dividend_rate_per_share, -- USD per share, last payment
    m.annual_dividend_per_share::double as annual_dividend_per_share, -- USD per share a year
    m.dividend_yield::double as dividend_yield, -- fraction a year
    m.dividend_ex_date::date as dividend_ex_date, -- of the last one known
    m.dividend_next_date::date as dividend_next_date, -- of the next one; may lie years back
    m.dividend_pay_date::date as dividend_pay_date, -- of the last one known
    m.dividend_updated_at::timestamp as dividend_updated_at, -- UTC
    m.earnings_visible::boolean as earnings_visible, -- true: the vendor shows them
    m.earnings_expected_report_date::date as earnings_expected_report_date, -- next report; null: not known
    m.earnings_estimated::boolean as earnings_estimated, -- true: the date is a guess
    m.earnings_late_flag::bigint as earnings_late_flag, -- the vendor's
    m.earnings_quarter_end_date::date as earnings_quarter_end_date, -- end of the reported quarter
    m.earnings_actual_eps::double as earnings_actual_eps, -- USD per share
    m.earnings_consensus_estimate::double as earnings_consensus_estimate, -- USD per share
    m.earnings_time_of_day::varchar as earnings_time_of_day, -- as the vendor sends it: BMO before the open, AMC after the close; null: not said
    m.earnings_updated_at::timestamp as earnings_updated_at, -- UTC
    m.earnings_per_share::double as earnings_per_share, -- USD per share a year
    m.price_earnings_ratio::double as price_earnings_ratio, -- ratio
    m.market_cap::double as market_cap, -- USD
    m.listed_market::varchar as listed_market, -- market identifier code
    m.lendability::varchar as lendability, -- Easy To Borrow, Locate Required, Preborrow
    m.borrow_rate::double as borrow_rate, -- as the vendor says it
    m.sector::varchar as sector, -- the vendor's
    m.created_at::timestamp as created_at, -- UTC
    m.extra::varchar as extra, -- fields this version does not know, as JSON; null: none
    m.known_at::timestamp as known_at -- UTC; when it was loaded
from raw.tastytrade_market_metrics as m
where m.is_current
