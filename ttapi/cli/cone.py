# SPDX-License-Identifier: Apache-2.0
"""A volatility cone drawn in a terminal: `ttapi sql --format json ... | python -m ttapi.cli.cone`.

Reads the rows of `volatility_cone` of one symbol as a JSON array on standard input.
"""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


if __name__ == "__main__":
    sys.stdout.write(draw_cone(json.load(sys.stdin)) + "\n")
