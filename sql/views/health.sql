-- SPDX-License-Identifier: Apache-2.0
-- about: What a person should look at: failed datasets and files, vanished files, refused rows,
--   suspected splits, sources in different price bases, failed checks, notes of sources and exports.
-- kind: view
with
findings as (
    select
        'dataset failed' as code,
        s.dataset,
        null as subject,
        s.error as detail,
        s.failed_at as since
    from catalog.state as s
    where s.error is not null
    union all
    select
        case when u.error is not null then 'unit failed' when u.is_vanished then 'unit vanished' else 'no accepted row' end,
        u.dataset,
        u.key,
        coalesce(u.error, case when u.is_vanished then 'its rows are kept' else u.rows_refused || ' rows refused' end),
        u.checked_at
    from catalog.units as u
    where u.error is not null or u.is_vanished
        or u.rows_accepted = 0 and not exists (
            -- Its note says more.
            select 1
            from catalog.notes as n
            where n.dataset = u.dataset and n.unit = u.key and n.code = 'no candle came'
        )
    union all
    select
        'rows refused',
        r.dataset,
        r.file,
        count(*) || ' rows, such as line ' || coalesce(min(r.line)::varchar, '?') || ': ' || coalesce(arg_min(r.reason, r.line), min(r.reason)),
        max(r.loaded_at)
    from raw.rejects as r
    where r.replaced_at is null
    group by r.dataset, r.file
    union all
    select
        p.finding,
        'eod',
        p.symbol,
        p.date || ': close before / close = ' || round(p.price_ratio, 4) || ', as a ' || p.split || ' split would;'
        || case
            when p.finding = 'unrecorded split' then ' add it to corporate_actions'
            else ' the prices contain it already: set price_basis, or remove the action'
        end,
        p.date::timestamp
    from derived.suspected_splits as p
    union all
    select
        d.finding,
        'eod',
        d.symbol,
        'MetaStock close / dxFeed close = ' || round(d.ratio, 4) || ' on ' || d.bars || ' dates, ' || d.since || ' to ' || d.until || ': '
        || case
            when d.finding = 'other price basis' then 'an unrecorded split, or adjusted prices'
            else 'most shared dates disagree, perhaps another security'
        end
        || '; MetaStock stands alone, what only dxFeed has is left out',
        d.since::timestamp
    from staged.basis_differences as d
    union all
    select
        'dividend refused',
        'corporate_actions',
        a.symbol,
        a.valid_until || ': the cash is not below the close before',
        a.valid_until::timestamp
    from derived.adjustment_factors as a
    where a.is_refused
    union all
    select
        'check failed',
        k.dataset,
        k.check_name,
        k.failures || ' bad rows, such as ' || k.sample,
        k.checked_at
    from catalog.checks as k
    where k.failures > 0
    union all
    select
        n.code,
        n.dataset,
        n.unit,
        n.detail,
        n.noted_at
    from catalog.notes as n
)
select
    f.code::varchar as code, -- what kind of finding
    f.dataset::varchar as dataset, -- where
    f.subject::varchar as subject, -- file, symbol or check; null: the dataset as a whole
    f.detail::varchar as detail, -- what was found, and what would help
    f.since::timestamp as since -- UTC; when it was found, or the date it is about
from findings as f
