-- SPDX-License-Identifier: Apache-2.0
-- about: Daily bars adjusted for splits and dividends to the basis of the newest bar.
-- kind: view
-- grain: symbol, date
select
    b.symbol::varchar as symbol, -- upper case
    b.date::date as date, -- session date, New York
    (b.open * coalesce(f.split_factor * f.dividend_factor, 1))::double as adj_open, -- USD per share of the newest basis
    (b.high * coalesce(f.split_factor * f.dividend_factor, 1))::double as adj_high, -- USD per share of the newest basis
    (b.low * coalesce(f.split_factor * f.dividend_factor, 1))::double as adj_low, -- USD per share of the newest basis
    (b.close * coalesce(f.split_factor * f.dividend_factor, 1))::double as adj_close, -- USD per share of the newest basis
    (b.volume / coalesce(f.split_factor, 1))::double as adj_volume, -- shares of the newest basis; dividends leave it alone
    coalesce(f.split_factor, 1)::double as split_factor, -- product of old/new shares over later splits; 1: none
    coalesce(f.dividend_factor, 1)::double as dividend_factor, -- product of 1 - D / close over later dividends; 1: none
    b.close::double as close, -- USD per share, as traded
    b.source::varchar as source -- where the bar comes from
from staged.eod as b
left join derived.adjustment_factors as f
    on f.symbol = b.symbol and b.date >= f.valid_from and b.date < f.valid_until
