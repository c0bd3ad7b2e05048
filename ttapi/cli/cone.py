# SPDX-License-Identifier: Apache-2.0
"""A volatility cone drawn in a terminal: `ttapi sql --format json ... | python -m ttapi.cli.cone`.

Reads the rows of `volatility_cone` of one symbol as a JSON array on standard input.

Charts of one symbol's options by name: smile, term, cone, surface; as text, or as a PNG.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi.config import require_extra
from ttapi.errors import TtapiError, UsageError
from ttapi.formats.chart import draw_chart

if TYPE_CHECKING:
    import pyarrow as pa

WIDTH, HEIGHT = 78, 18
LEGEND = "    . highest and lowest   - half of all days lie between   = median   @ now"
_LINES = (("max", "."), ("min", "."), ("q75", "-"), ("q25", "-"), ("q50", "="))
_NOW = ("current", "@")
_TICKS = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320)
"""Percent a year, evenly spread on the logarithmic axis."""


def draw_cone(rows: Sequence[Mapping[str, Any]]) -> str:
    """The cone as lines of text, no wider than WIDTH; lookbacks across, volatility up.

    *Shape* rows: lookback, min, q25, q50, q75, max, current, all fractions a year.
    """
    import plotext

    full = [row for row in rows if all(row[name] for name, _ in (*_LINES, _NOW))]
    if not full:
        return "no lookback has a full history yet"
    figure = plotext.figure
    figure.clear()
    figure.plot_size(WIDTH, HEIGHT)
    figure.legend(False)
    across = list(range(1, len(full) + 1))
    for name, marker in (*_LINES, _NOW):
        signal = figure.signal(across, [_height(row[name]) for row in full], marker=marker)
        figure.draw(signal.lines((name, marker) != _NOW))
    figure.ruler("x").ticks(across, [f"{row['lookback']}" for row in full])
    low, high = (
        _height(edge(row[name] for row in full)) for edge, name in ((min, "min"), (max, "max"))
    )
    ticks = [tick for tick in _TICKS if low <= math.log(tick) <= high]
    figure.ruler("y").ticks([math.log(tick) for tick in ticks], [f"{tick:g} %" for tick in ticks])
    lines = str(figure.build().string(True)).splitlines()
    return "\n".join([*(line.rstrip() for line in lines), LEGEND])


def _height(volatility: float) -> float:
    return math.log(100 * volatility)


_SMILE = """
select c.strike, c.implied_volatility, c.option_type, c.expiration_date
from chain as c
where c.underlying = ?
    and c.implied_volatility is not null
    and (c.option_type = 'C') = (c.log_moneyness >= 0)
    and c.expiration_date = coalesce(
        try_cast(nullif(?, '') as date),
        (
            select arg_min(t.expiration_date, abs(t.dte_calendar - 30))
            from term_structure as t
            where t.underlying = ? and t.implied_volatility is not null
        )
    )
order by c.strike
"""
_TERM = """
select t.dte_calendar as days, t.implied_volatility, t.expiration_date
from term_structure as t
where t.underlying = ? and t.implied_volatility is not null
order by t.dte_calendar
"""
_CONE = "select * from volatility_cone as c where c.symbol = ? order by c.lookback"
_SURFACE = """
select s.expiration_date, s.dte_calendar, s.point, s.implied_volatility
from surface as s
where s.underlying = ? and s.axis = 'moneyness'
order by s.expiration_date, s.point
"""
Spec = dict[str, Any]


@dataclass(frozen=True)
class SymbolChart:
    """One chart: what it asks, and how its rows are drawn."""

    sql: str
    """Its parameters are the symbol; the smile's are symbol, expiration, symbol."""
    draw: Callable[[pa.Table, int], str]
    """Rows and width in characters in, lines of text out."""
    spec: Callable[[Sequence[Mapping[str, Any]]], Spec]
    """Rows in, what a PNG of them shows (Vega-Lite)."""


def parameters_of(name: str, symbol: str, expiration: str) -> list[str]:
    """What the SQL of the chart `name` is asked with. *Raises* UsageError for a date it cannot take."""
    if name == "smile":
        return [symbol, expiration, symbol]
    if expiration:
        raise UsageError(f".chart {name} takes a symbol alone", hint=".chart smile SYMBOL [DATE]")
    return [symbol]


def write_png(
    name: str,
    symbol: str,
    rows: Sequence[Mapping[str, Any]],
    file: Path,
    *,
    size: tuple[int, int] = (720, 440),
) -> None:
    """The chart as a PNG file. *Raises* UsageError where the package that draws it is missing."""
    require_extra("viz", "vl_convert", "a PNG")
    import vl_convert  # only for PNG files

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": f"{symbol}: {name}",
        "width": size[0],
        "height": size[1],
        "data": {"values": [{k: _plain(v) for k, v in row.items()} for row in rows]},
        **SYMBOL_CHARTS[name].spec(rows),
    }
    try:
        file.write_bytes(vl_convert.vegalite_to_png(spec, scale=1.5))
    except OSError as exc:
        raise TtapiError(f"{file} cannot be written: {exc.strerror}") from exc


def _draw_smile(table: pa.Table, width: int) -> str:
    dates = table.column("expiration_date").unique().to_pylist()
    lines = draw_chart(table, "scatter", "strike", "implied_volatility", width=width)
    return f"expiration {', '.join(map(str, dates))}\n{lines}"


def _draw_term(table: pa.Table, width: int) -> str:
    return draw_chart(table, "line", "days", "implied_volatility", width=width)


def _draw_cone(table: pa.Table, width: int) -> str:
    del width  # it is as wide as its lookbacks are many
    return draw_cone(table.to_pylist())


def _draw_surface(table: pa.Table, width: int) -> str:
    """A row an expiration, a column a moneyness, in percent."""
    cells: dict[Any, dict[float, float]] = {}
    for row in table.to_pylist():
        if row["implied_volatility"] is not None:
            cells.setdefault(row["expiration_date"], {})[row["point"]] = row["implied_volatility"]
    points = sorted({point for line in cells.values() for point in line})
    room = max(1, (width - 11) // 7)
    points = sorted(sorted(points, key=lambda point: abs(point - 1))[:room])
    head = "expiration " + "".join(f"{point:>7.3g}" for point in points)
    lines = [
        f"{expires!s:11}"
        + "".join(f"{100 * line[p]:7.1f}" if p in line else f"{'.':>7}" for p in points)
        for expires, line in cells.items()
    ]
    told = "implied volatility in percent by strike / forward; . between no two quotes"
    return "\n".join([head, *lines, told, ""])


def _mark(kind: str, **channels: tuple[str, str, str]) -> Spec:
    """One mark and its channels: field, type and title each."""
    encoding = {
        name: {"field": field, "type": kind_, "title": title, "scale": {"zero": False}}
        for name, (field, kind_, title) in channels.items()
    }
    return {"mark": {"type": kind, "point": kind == "line"}, "encoding": encoding}


def _smile_spec(rows: Sequence[Mapping[str, Any]]) -> Spec:
    expires = rows[0]["expiration_date"]
    return _mark(
        "line",
        x=("strike", "quantitative", f"strike, expiration {expires}"),
        y=("implied_volatility", "quantitative", "implied volatility"),
    )


def _term_spec(rows: Sequence[Mapping[str, Any]]) -> Spec:
    del rows
    return _mark(
        "line",
        x=("days", "quantitative", "calendar days to expiration"),
        y=("implied_volatility", "quantitative", "implied volatility at the forward"),
    )


def _cone_spec(rows: Sequence[Mapping[str, Any]]) -> Spec:
    del rows
    names = ["min", "q25", "q50", "q75", "max", "current"]
    return {
        "transform": [{"fold": names, "as": ["quantile", "volatility"]}],
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "lookback", "type": "ordinal", "title": "lookback, sessions"},
            "y": {"field": "volatility", "type": "quantitative", "title": "realised volatility"},
            "color": {"field": "quantile", "type": "nominal", "sort": names, "title": None},
        },
    }


def _surface_spec(rows: Sequence[Mapping[str, Any]]) -> Spec:
    del rows
    return {
        "mark": "rect",
        "transform": [{"filter": "isValid(datum.implied_volatility)"}],
        "encoding": {
            "x": {"field": "point", "type": "ordinal", "title": "strike / forward"},
            "y": {"field": "expiration_date", "type": "ordinal", "title": None},
            "color": {
                "field": "implied_volatility",
                "type": "quantitative",
                "title": "implied volatility",
                "scale": {"scheme": "viridis"},
            },
        },
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) or value is None else str(value)


SYMBOL_CHARTS = {
    "smile": SymbolChart(_SMILE, _draw_smile, _smile_spec),
    "term": SymbolChart(_TERM, _draw_term, _term_spec),
    "cone": SymbolChart(_CONE, _draw_cone, _cone_spec),
    "surface": SymbolChart(_SURFACE, _draw_surface, _surface_spec),
}
"""Chart by name."""


if __name__ == "__main__":
    sys.stdout.write(draw_cone(json.load(sys.stdin)) + "\n")
