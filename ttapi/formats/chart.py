# SPDX-License-Identifier: Apache-2.0
"""An answer drawn as text: line, bar, hist, scatter, candle.

Plain characters without colour, so that a chart is the same on a dumb terminal, in a notebook and
in a golden file.
"""

from __future__ import annotations

import math
from collections.abc import Callable  # noqa: TC003 - the table of charts is typed by it
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ttapi.errors import UsageError
from ttapi.formats.values import fitted, padded, shown, width_of

if TYPE_CHECKING:
    import pyarrow as pa

MOST_POINTS = 20_000
"""Rows a chart is drawn from; far more than a screen can tell apart."""
_DAY_S = 86400
_CANDLE = ("open", "high", "low", "close")
_UP, _DOWN = "█", "░"
"""Bodies of candles that closed no lower than they opened, and lower; told apart without colour."""


class Drawing(str):
    """A chart's lines; shown as they are where a value is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class _Axes:
    table: pa.Table
    x: str | None
    y: str | None
    width: int
    height: int


def draw_chart(
    table: pa.Table,
    kind: str = "line",
    x: str | None = None,
    y: str | None = None,
    *,
    width: int = 80,
    height: int = 20,
) -> str:
    """The chart as lines of text, `width` by `height` characters.

    Without columns: x is the first date or instant (bar: the first text), y the first number.

    *Raises* UsageError for an unknown kind or column, or rows that cannot be drawn so.
    """
    if kind not in CHARTS:
        raise UsageError(f"{kind!r} is no chart", hint=", ".join(CHARTS))
    for name in (x, y):
        if name is not None and name not in table.column_names:
            raise UsageError(
                f"the answer has no column {name!r}", hint=f"it has {', '.join(table.column_names)}"
            )
    if not table.num_rows:
        raise UsageError("the answer has no rows to draw")
    axes = _Axes(table.slice(0, MOST_POINTS), x, y, max(width, 20), max(height, 5))
    return CHARTS[kind](axes)


def _line(axes: _Axes) -> str:
    return _points(axes, is_joined=True)


def _scatter(axes: _Axes) -> str:
    return _points(axes, is_joined=False)


def _points(axes: _Axes, *, is_joined: bool) -> str:
    y = _number_column(axes, axes.y, avoid=axes.x)
    x = axes.x or _first(axes.table, _is_time, avoid=y)
    pairs = sorted(
        (px, py)
        for px, py in zip(_positions(axes, x), _numbers(axes.table, y), strict=True)
        if px is not None and py is not None
    )
    if not pairs:
        raise UsageError(f"column {y!r} holds no numbers to draw")
    figure = _figure(axes)
    signal = figure.signal([p[0] for p in pairs], [p[1] for p in pairs], marker="braille")
    if is_joined:
        signal.lines()
    figure.draw(signal)
    if x and _is_time(axes.table.schema.field(x).type):
        kind = axes.table.schema.field(x).type
        _date_ticks(figure, pairs[0][0], pairs[-1][0], is_daily=str(kind).startswith("date"))
    return _text(figure, f"{y} by {x}" if x else y)


def _hist(axes: _Axes) -> str:
    y = _number_column(axes, axes.y or axes.x)
    values = [value for value in _numbers(axes.table, y) if value is not None]
    if not values:
        raise UsageError(f"column {y!r} holds no numbers to draw")
    low, high = min(values), max(values)
    bins = max(1, min(axes.height - 2, round(math.sqrt(len(values)))))
    step = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / step))] += 1
    labels = [f"{low + step * i:.4g} to {low + step * (i + 1):.4g}" for i in range(bins)]
    return _bars(f"{y}: rows per range", labels, [float(n) for n in counts], axes.width)


def _bar(axes: _Axes) -> str:
    y = _number_column(axes, axes.y, avoid=axes.x)
    x = axes.x or _first(axes.table, lambda kind: not _is_number(kind), avoid=y)
    first = axes.table.slice(0, max(axes.height, 40))
    labels = (
        ["" if value is None else shown(str(value)) for value in first.column(x).to_pylist()]
        if x
        else [str(n + 1) for n in range(first.num_rows)]
    )
    title = f"{y} by {x}" if x else y
    if first.num_rows < axes.table.num_rows:
        title += f", first {first.num_rows} of {axes.table.num_rows:,} rows"
    return _bars(title, labels, [v or 0.0 for v in _numbers(first, y)], axes.width)


def _bars(title: str, labels: list[str], values: list[float], width: int) -> str:
    """One line a bar; what is below nought grows to the left."""
    labels = [fitted(label, width // 3) for label in labels]
    numbers = [f"{value:.6g}" for value in values]
    head = max(map(width_of, labels))
    room = max(8, width - head - max(map(len, numbers)) - 4)
    low, high = min(0.0, *values), max(0.0, *values)
    scale = room / ((high - low) or 1.0)
    left = round(-low * scale)
    lines = [title.center(width).rstrip()]
    for label, value, number in zip(labels, values, numbers, strict=True):
        size = round(abs(value) * scale)
        below = ("█" * size if value < 0 else "").rjust(left)
        above = ("█" * size if value > 0 else "").ljust(room - left)
        lines.append(f"{padded(label, head, is_right=False)} {below}│{above} {number}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _candle(axes: _Axes) -> str:
    names = {name.lower().removeprefix("adj_"): name for name in axes.table.column_names}
    missing = [part for part in _CANDLE if part not in names]
    if missing:
        raise UsageError(
            f"a candle chart needs a column {missing[0]}",
            hint="select date, open, high, low, close",
        )
    x = axes.x or _first(axes.table, _is_time, avoid=None)
    parts = {part: _numbers(axes.table, names[part]) for part in _CANDLE}
    rows = [
        row
        for row in zip(_positions(axes, x), *(parts[part] for part in _CANDLE), strict=True)
        if None not in row
    ]
    rows.sort(key=lambda row: row[0] or 0.0)
    fitting = rows[-(axes.width - 12) // 2 :] if len(rows) > (axes.width - 12) // 2 else rows
    if not fitting:
        raise UsageError("no row has open, high, low and close")
    figure = _figure(axes)
    # Candles stand side by side: weekends leave no gap.
    for n, (_, opened, high, low, closed) in enumerate(fitting):
        body = _UP if closed >= opened else _DOWN
        figure.draw(figure.segment((n, n), (low, high), marker="│"))
        figure.draw(figure.rectangle((n, n), sorted((opened, closed)), marker=body))
    if x and _is_time(axes.table.schema.field(x).type):
        picked = sorted({0, len(fitting) // 2, len(fitting) - 1})
        figure.ruler("x").ticks(picked, [_day(fitting[i][0] or 0.0) for i in picked])
    title = f"open, high, low, close{f' by {x}' if x else ''} ({_UP} up, {_DOWN} down)"
    if len(fitting) < len(rows):
        title += f", last {len(fitting)} of {len(rows):,} rows"
    return _text(figure, title)


CHARTS: dict[str, Callable[[_Axes], str]] = {
    "line": _line,
    "bar": _bar,
    "hist": _hist,
    "scatter": _scatter,
    "candle": _candle,
}
"""Drawer by kind."""


def _figure(axes: _Axes) -> Any:
    import plotext  # noqa: PLC0415 - only where a chart is drawn

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(axes.width, axes.height)
    return figure


def _text(figure: Any, title: str) -> str:
    import plotext  # noqa: PLC0415 - only where a chart is drawn

    figure.title(title)
    lines = plotext.uncolorize(figure.build()).splitlines()
    figure.clear()
    return "".join(f"{line.rstrip()}\n" for line in lines).rstrip("\n") + "\n"


def _number_column(axes: _Axes, named: str | None, avoid: str | None = None) -> str:
    found = named or _first(axes.table, _is_number, avoid=avoid)
    if found is None:
        raise UsageError("the answer has no column of numbers to draw")
    if not _is_number(axes.table.schema.field(found).type):
        raise UsageError(f"column {found!r} holds no numbers to draw")
    return found


def _first(table: pa.Table, fits: Callable[[Any], bool], *, avoid: str | None) -> str | None:
    return next((f.name for f in table.schema if f.name != avoid and fits(f.type)), None)


def _is_time(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _numbers(table: pa.Table, name: str) -> list[float | None]:
    values = table.column(name).to_pylist()
    return [float(v) if v is not None and math.isfinite(v) else None for v in values]


def _positions(axes: _Axes, x: str | None) -> list[float | None]:
    if x is None:
        return [float(n + 1) for n in range(axes.table.num_rows)]
    kind = axes.table.schema.field(x).type
    if _is_time(kind):
        return [None if v is None else _seconds(v) for v in axes.table.column(x).to_pylist()]
    if not _is_number(kind):
        raise UsageError(f"column {x!r} is neither number nor date", hint=".chart bar draws text")
    return _numbers(axes.table, x)


def _seconds(value: date) -> float:
    instant = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC is said below
    return instant.replace(tzinfo=UTC).timestamp()


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _date_ticks(figure: Any, first: float, last: float, *, is_daily: bool) -> None:
    """Days below the axis; hours too where instants lie close together."""
    if last - first < 4 * _DAY_S and not is_daily:
        marks = [first, last]
        texts = [datetime.fromtimestamp(mark, UTC).strftime("%m-%d %H:%M") for mark in marks]
    else:
        parts = max(1, min(4, int((last - first) / _DAY_S)))
        marks = [first + (last - first) * part / parts for part in range(parts + 1)]
        texts = [_day(mark) for mark in marks]
    figure.ruler("x").ticks(marks, texts)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
