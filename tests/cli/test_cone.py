# SPDX-License-Identifier: Apache-2.0
"""The volatility cone as text."""

from __future__ import annotations

import json
import subprocess
import sys

from ttapi.cli.cone import LEGEND, WIDTH, draw_cone

CONE = [
    {"lookback": 5, "min": 0.02, "q25": 0.1, "q50": 0.2, "q75": 0.3, "max": 0.8, "current": 0.09},
    {"lookback": 21, "min": 0.05, "q25": 0.12, "q50": 0.2, "q75": 0.28, "max": 0.6, "current": 0.4},
    {"lookback": 252, "min": 0.1, "q25": 0.15, "q50": 0.2, "q75": 0.25, "max": 0.4, "current": 0.2},
]


def test_every_line_fits_a_terminal_of_80_columns():
    lines = draw_cone(CONE).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1] == LEGEND


def test_lookbacks_stand_below_and_percentages_beside():
    lines = draw_cone(CONE).splitlines()
    assert lines[-2].split() == ["5", "21", "252"]
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert labels == ["80 %", "40 %", "20 %", "10 %", "5 %", "2 %"]


def test_now_is_a_point_at_its_height_for_each_lookback():
    lines = draw_cone(CONE).splitlines()
    heights = {line.index("@", at): n for n, line in enumerate(lines[:-1]) for at in _places(line)}
    left, middle, right = (heights[place] for place in sorted(heights))
    assert middle < right < left
    assert sum(line.count("@") for line in lines[:-1]) == 3


def _places(line):
    return [place for place, mark in enumerate(line) if mark == "@"]


def test_a_lookback_without_full_history_is_left_out():
    short = {"lookback": 60, **dict.fromkeys(("min", "q25", "q50", "q75", "max", "current"))}
    assert draw_cone([CONE[0], short, CONE[2]]) == draw_cone([CONE[0], CONE[2]])


def test_nothing_to_draw_is_said():
    assert draw_cone([]) == "no lookback has a full history yet"


def test_the_module_draws_what_a_pipe_brings():
    done = subprocess.run(
        [sys.executable, "-m", "ttapi.cli.cone"],
        input=json.dumps(CONE),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert done.stdout == draw_cone(CONE) + "\n"
