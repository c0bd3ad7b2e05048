-- SPDX-License-Identifier: Apache-2.0
-- about: What exercise at once is worth, USD per share; null where an input is.
-- kind: macro
create or replace macro intrinsic_of(spot, strike, option_type) as (
    -- greatest(0, x) would take a missing spot for a worthless option.
    case
        when spot is null or strike is null then null
        when option_type = 'C' then greatest(spot - strike, 0)
        when option_type = 'P' then greatest(strike - spot, 0)
    end
)
