-- SPDX-License-Identifier: Apache-2.0
-- about: Every contract of every snapshot with forward, implied volatilities and Greeks, as it was known at an instant (UTC).
--   The forward of an expiration is what put-call parity shows at the five strikes where call and put differ least (their
--   median); without such a strike the price of the underlying carried forward, less the announced dividend. A contract that
--   gives no volatility says why. Of American options this is the European volatility on that forward: close out of the money.
--   Of a list of snapshots, or of all where it is null.
-- kind: macro
create or replace macro implied_at(known_until, snapshots) as table
with
sessions as (
    select
        c.date,
        c.open_utc,
        c.close_utc
    from derived.calendar as c
    where c.market = 'XNYS' and c.is_trading_day
),
quotes as (
    select
        q.*,
        s.date,
        s.session_open,
        s.spot,
        s.dividend_date,
        s.dividend,
        -- Beyond the calendar: 16:00 and 9:30 of New York's winter.
        case q.settlement
            when 'AM' then coalesce(e.open_utc, q.expiration_date + interval '14 hours 30 minutes')
            else coalesce(e.close_utc, q.expiration_date + interval '21 hours')
        end as expires_at
    from derived.option_quotes_at(known_until, snapshots) as q
    join derived.snapshots_at(known_until, snapshots) as s
        on s.symbol = q.symbol and s.snapshot = q.snapshot
    left join sessions as e
        on e.date = q.expiration_date
    where q.strike is not null
),
timed as (
    select
        q.*,
        (epoch(q.expires_at) - epoch(q.snapshot_at)) / 31536000e0 as years,
        (q.expiration_date - (q.snapshot_at - interval '5 hours')::date)::integer as dte_calendar,
        case when q.bid > 0 and q.ask >= q.bid then (q.bid + q.ask) / 2 when q.bid is null and q.ask is null then q.mark end as mid,
        case
            when q.is_adjusted or q.multiplier <> 100 then 'adjusted contract'
            when q.spot is null then 'no spot'
            when q.bid is null and q.ask is null and q.mark is null then 'no quote'
            when coalesce(q.bid, 0) <= 0 and coalesce(q.ask, 0) <= 0 and (q.bid is not null or q.ask is not null) then 'no quote'
            when q.bid is null and q.ask is null and q.mark <= 0 then 'no quote'
            when q.bid is null and q.ask is not null or q.ask is null and q.bid is not null then 'one-sided quote'
            when q.bid <= 0 then 'zero bid'
            when q.ask <= 0 then 'one-sided quote'
            when q.bid > q.ask then 'crossed quote'
            when q.bid = q.ask then 'locked quote'
            when q.ask - q.bid > (q.ask + q.bid) / 2 then 'wide quote'
            when q.quote_time < q.session_open then 'stale quote'
        end as own_fault
    from quotes as q
),
-- Calls get cheaper with the strike and puts dearer. What a quote and its two neighbours cost (the middle one of the three)
-- is not upset by one of them.
ranked as (
    select
        t.*,
        case t.option_type when 'C' then t.strike else -t.strike end as outwards,
        case
            when t.own_fault is null
                and t.mid >= 0.9 * case t.option_type when 'C' then t.spot - t.strike else t.strike - t.spot end
                then t.mid
        end as sound
    from timed as t
),
flanked as (
    select
        r.*,
        lag(r.sound) over by_strike as sound_before,
        lead(r.sound) over by_strike as sound_after
    from ranked as r
    window by_strike as (
        partition by r.symbol, r.snapshot, r.root, r.expiration_date, r.settlement, r.option_type
        order by r.outwards
    )
),
smoothed as (
    select
        f.*,
        coalesce(
            case
                when f.sound + f.sound_before + f.sound_after is not null
                    then greatest(
                        least(f.sound, f.sound_before), least(greatest(f.sound, f.sound_before), f.sound_after)
                    )
            end,
            (f.sound + f.sound_before) / 2,
            (f.sound + f.sound_after) / 2,
            (f.sound_before + f.sound_after) / 2,
            f.sound,
            f.sound_before,
            f.sound_after
        ) as usual
    from flanked as f
),
judged as (
    select
        s.*,
        coalesce(
            s.own_fault,
            case
                when coalesce(s.bid, s.mid) > 0.05 + 1.1 * min(s.usual) over (
                    partition by s.symbol, s.snapshot, s.root, s.expiration_date, s.settlement, s.option_type
                    order by s.outwards
                    rows between unbounded preceding and 2 preceding
                ) then 'out of line'
            end
        ) as fault
    from smoothed as s
),
curve as (
    select r.*
    from derived.rates_at(known_until) as r
),
expirations as (
    select
        t.symbol,
        t.snapshot,
        t.root,
        t.expiration_date,
        t.settlement,
        any_value(t.date) as date,
        any_value(t.years) as years,
        greatest(any_value(t.dte_calendar), 0) as days,
        any_value(t.spot) as spot,
        any_value(t.dividend_date) as dividend_date,
        any_value(t.dividend) as dividend
    from judged as t
    group by t.symbol, t.snapshot, t.root, t.expiration_date, t.settlement
),
rated as (
    select
        x.*,
        c.rate_from + (c.rate_to - c.rate_from) * (x.days - c.tenor_from) / (c.tenor_to - c.tenor_from) as rate
    from expirations as x
    join curve as c
        on x.date >= c.date and x.date < c.until_date and x.days >= c.tenor_from and x.days < c.tenor_to
),
-- Strikes whose call and put both have a sound quote.
paired as (
    select
        t.symbol,
        t.snapshot,
        t.root,
        t.expiration_date,
        t.settlement,
        t.strike,
        max(case when t.option_type = 'C' then t.mid end) - max(case when t.option_type = 'P' then t.mid end) as call_less_put
    from judged as t
    where t.fault is null or t.fault = 'no spot'
    group by t.symbol, t.snapshot, t.root, t.expiration_date, t.settlement, t.strike
    having count(distinct t.option_type) = 2
),
nearest as (
    select
        p.*,
        row_number() over (
            partition by p.symbol, p.snapshot, p.root, p.expiration_date, p.settlement
            order by abs(p.call_less_put), p.strike
        ) as place
    from paired as p
),
parity as (
    select
        n.symbol,
        n.snapshot,
        n.root,
        n.expiration_date,
        n.settlement,
        median(n.strike + exp(r.rate * r.years) * n.call_less_put) as forward,
        count(*) as strikes
    from nearest as n
    join rated as r
        on r.symbol = n.symbol
            and r.snapshot = n.snapshot
            and r.root = n.root
            and r.expiration_date = n.expiration_date
            and r.settlement = n.settlement
    where n.place <= 5 and r.years > 0
    group by n.symbol, n.snapshot, n.root, n.expiration_date, n.settlement
),
carried as (
    select
        r.*,
        -- A split that only one of them knows, or strikes of a file in another unit: no yield makes this forward. Nobody can
        -- carry VIX: in March 2020 it stood at 80 and its half-year forward below 40.
        case
            when r.symbol = 'VIX' then false
            when f.forward > 0 and r.spot > 0 then abs(ln(f.forward / r.spot)) > 0.25 + 0.5 * r.years
            else false
        end as is_other_basis,
        coalesce(f.strikes, 0) as forward_strikes,
        case when f.forward > 0 then 'parity' when r.spot is not null then 'carry' end as forward_method,
        case
            when f.forward > 0 then f.forward
            when r.years > 0
                then r.spot * exp(r.rate * r.years)
                    - case
                        when r.dividend_date <= r.expiration_date
                            then r.dividend * exp(r.rate * (r.expiration_date - r.dividend_date) / 365)
                        else 0
                    end
        end as forward
    from rated as r
    left join parity as f
        on f.symbol = r.symbol
            and f.snapshot = r.snapshot
            and f.root = r.root
            and f.expiration_date = r.expiration_date
            and f.settlement = r.settlement
),
contracts as (
    select
        t.*,
        case when not c.is_other_basis then t.spot end as known_spot,
        case when c.is_other_basis then 'spot in another basis' else t.fault end as reason,
        c.rate,
        case when c.forward > 0 then c.forward end as forward,
        c.forward_method,
        c.forward_strikes,
        -- What the forward says of the underlying's yield.
        case when c.forward > 0 and t.years > 0 and not c.is_other_basis then c.rate - ln(c.forward / t.spot) / t.years end as carry_yield
    from judged as t
    join carried as c
        on c.symbol = t.symbol
            and c.snapshot = t.snapshot
            and c.root = t.root
            and c.expiration_date = t.expiration_date
            and c.settlement = t.settlement
),
solved as (
    select
        c.*,
        derived.implied_of(
            c.known_spot, c.strike, c.years, c.rate, c.carry_yield, case when c.reason is null then c.mid end, c.option_type
        ) as implied,
        derived.implied_of(
            c.known_spot, c.strike, c.years, c.rate, c.carry_yield, case when c.reason is null then c.bid end, c.option_type
        ).volatility as bid_iv,
        derived.implied_of(
            c.known_spot, c.strike, c.years, c.rate, c.carry_yield, case when c.reason is null then c.ask end, c.option_type
        ).volatility as ask_iv
    from contracts as c
)
select
    s.snapshot,
    s.symbol as underlying,
    s.snapshot_at,
    s.date,
    s.contract as occ_symbol,
    s.root,
    s.expiration_date,
    s.contract_expiration_date,
    s.settlement,
    s.strike,
    s.option_type,
    s.exercise_style,
    s.multiplier,
    s.is_adjusted,
    s.bid,
    s.ask,
    s.mid,
    s.mark,
    s.bid_size,
    s.ask_size,
    s.last,
    s.volume,
    s.open_interest,
    s.known_spot as spot,
    s.forward,
    s.forward_method,
    s.forward_strikes,
    s.rate,
    s.carry_yield,
    s.years,
    s.dte_calendar,
    ln(s.strike / s.forward) as log_moneyness,
    s.implied.volatility as implied_volatility,
    s.bid_iv,
    s.ask_iv,
    s.implied.greeks as greeks,
    case
        when s.years <= 0 then 'expired'
        else coalesce(s.reason, case when s.forward is null then 'no forward' end, s.implied.reason)
    end as iv_reason,
    s.vendor_implied_volatility,
    s.quote_time,
    s.source,
    s.known_at
from solved as s
