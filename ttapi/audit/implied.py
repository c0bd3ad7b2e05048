# SPDX-License-Identifier: Apache-2.0
"""An implied volatility explained: its quote, the forward and who showed it, the rate, the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.store.reader import Reader

_PAIRS = """
    with sound as (
        select
            i.strike,
            max(case when i.option_type = 'C' then i.mid end) as call,
            max(case when i.option_type = 'P' then i.mid end) as put
        from derived.option_implied as i
        where i.snapshot = ?
            and i.root = ?
            and i.expiration_date = ?::date
            and i.settlement = ?
            and coalesce(i.iv_reason, '') in ('', 'below intrinsic', 'above upper bound', 'vega too small')
        group by i.strike
        having count(distinct i.option_type) = 2
    )
    select s.strike, s.call, s.put, s.strike + exp(?::double * ?::double) * (s.call - s.put) as forward
    from sound as s
    order by abs(s.call - s.put), s.strike
    limit 5
"""
_CONTRACT = """
    select i.* from derived.option_implied as i
    where i.snapshot_at = ?::timestamp and i.occ_symbol = ?
"""
_LOADED = """
    select u.key, q.line, q.load_id, l.loaded_at, c.command
    from {table} as q
    left join catalog.units as u on u.unit_id = q.unit_id
    left join catalog.loads as l on l.load_id = q.load_id and l.dataset = u.dataset
    left join catalog.commands as c on c.load_id = q.load_id
    where q.snapshot = ? and q.contract = ? and q.is_current
    limit 1
"""
_TABLES = {"files": "raw.option_quotes", "tastytrade": "raw.tastytrade_option_quotes"}
_RATE = """
    select r.date, r.tenor_from, r.tenor_to, r.rate_from, r.rate_to, r.source
    from derived.rates_at(timestamp '9999-12-31') as r
    where ?::date >= r.date and ?::date < r.until_date
        and greatest(?::integer, 0) >= r.tenor_from and greatest(?::integer, 0) < r.tenor_to
"""


@dataclass(frozen=True)
class ImpliedExplanation:
    """How one implied volatility came about.

    *Units* prices in USD per share, rates and volatilities as fractions a year.
    """

    price: float | None
    """What was solved for; None: no usable quote."""
    quote: str
    """The quote it is of, as text."""
    lower_bound: float | None
    upper_bound: float | None
    """Prices between which a volatility exists."""
    forward: float | None
    forward_method: str | None
    """parity or carry; None: no forward."""
    pairs: Sequence[Mapping[str, Any]]
    """strike, call, put and forward of the strikes whose median the forward is; empty: none."""
    rate: float | None
    rate_from: str
    """Where the rate comes from."""
    years: float | None
    volatility: float | None
    reason: str | None
    """Why there is no volatility; None: there is."""
    loaded: str
    """The row its quote stands in, and the load that brought it."""


def implied_story(reader: Reader, row: Mapping[str, Any]) -> ImpliedExplanation | None:
    """The story behind a row of chain or derived.option_implied; None for rows of other relations."""
    if not {"occ_symbol", "snapshot_at", "iv_reason"} <= row.keys():
        return None
    found = _rows(reader, _CONTRACT, [row["snapshot_at"], row["occ_symbol"]])
    if not found:
        return None
    contract = found[0]
    lower, upper = _bounds(contract)
    is_parity = contract["forward_method"] == "parity"
    return ImpliedExplanation(
        price=contract["mid"],
        quote=_quote(contract),
        lower_bound=lower,
        upper_bound=upper,
        forward=contract["forward"],
        forward_method=contract["forward_method"],
        pairs=_pairs(reader, contract) if is_parity else [],
        rate=contract["rate"],
        rate_from=_rate(reader, contract),
        years=contract["years"],
        volatility=contract["implied_volatility"],
        reason=contract["iv_reason"],
        loaded=_loaded(reader, contract),
    )


def _loaded(reader: Reader, contract: Mapping[str, Any]) -> str:
    table = _TABLES[contract["source"]]
    asked = [contract["snapshot"], contract["occ_symbol"]]
    found = _rows(reader, _LOADED.format(table=table), asked)
    if not found:
        return f"{table}: replaced since"
    one = found[0]
    line = f" line {one['line']}" if one["line"] is not None else ""
    by = f" by {one['command']}" if one["command"] else ""
    return f"{table} <- {one['key']}{line} ({contract['source']}); load {one['load_id']}, {one['loaded_at']} UTC{by}"


def _quote(contract: Mapping[str, Any]) -> str:
    at = f", quoted {contract['quote_time']} UTC" if contract["quote_time"] else ""
    if contract["bid"] is None and contract["ask"] is None:
        return f"mark {_number(contract['mark'])}, the source gives no bid and ask{at}"
    return f"bid {_number(contract['bid'])}, ask {_number(contract['ask'])}{at}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _bounds(contract: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Discounted intrinsic value, and forward or strike discounted."""
    forward, rate, years = contract["forward"], contract["rate"], contract["years"]
    if forward is None or rate is None or not years or years <= 0:
        return None, None
    discount = exp(-rate * years)
    strike, is_call = contract["strike"], contract["option_type"] == "C"
    intrinsic = forward - strike if is_call else strike - forward
    return max(0.0, discount * intrinsic), discount * (forward if is_call else strike)


def _pairs(reader: Reader, contract: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    keys = ("snapshot", "root", "expiration_date", "settlement", "rate", "years")
    return _rows(reader, _PAIRS, [contract[key] for key in keys])


def _rate(reader: Reader, contract: Mapping[str, Any]) -> str:
    days = contract["dte_calendar"]
    day = contract["date"]
    found = _rows(reader, _RATE, [day, day, days, days])
    if not found:
        return "not known"
    one = found[0]
    if one["source"] == "default":
        return "the default constant; [sources.rates] constant or files of rates change it"
    if one["source"] == "setting":
        return "[sources.rates] constant"
    return f"rates of {one['date']}, {days} days"


def _rows(reader: Reader, sql: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    rows = reader.run(sql, parameters)
    return rows.table.to_pylist() if rows else []
