# SPDX-License-Identifier: Apache-2.0
"""A table's SQL is its definition; a builder, where it has one, gives the same rows sooner."""

from __future__ import annotations

import random

import pytest

from ttapi.market.calendar import sessions

DAYS = [
    d
    for d in sessions("XNYS").dates
    if d.year in {2021, 2022, 2023} and sessions("XNYS").is_session(d)
]
LENGTHS = {"SPY": 700, "AAA": 700, "BBB": 253, "CCC": 45, "DDD": 6, "EEE": 1, "FFF": 400}


def drawn(rng, length):
    """Daily bars with missing sessions, bars of no range, and one jump that looks like a split."""
    close, rows = 40.0 + rng.random() * 100, []
    for number, day in enumerate(DAYS[-length:]):
        before = close
        close = round(max(1.0, close * (1 + rng.gauss(0, 0.02))) * (0.5 if number == 350 else 1), 2)
        if rng.random() < 0.04:
            continue
        low, high = sorted((before, close)) if rng.random() < 0.9 else (close, close)
        first = round(rng.uniform(low, high), 2)
        rows.append(
            (day, first, round(max(first, high) * 1.01, 2), round(min(first, low) * 0.99, 2), close)
        )
    return rows or [(DAYS[-1], 10, 11, 9, 10)]


@pytest.fixture(scope="module")
def market(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("built"))
    rng = random.Random(11)
    for symbol, length in LENGTHS.items():
        lab.write_bars(f"{symbol}.csv", drawn(rng, length))
    lab.write_actions("AAA", [("20220606", "split", 3, ""), ("20230606", "dividend", "", 0.5)])
    lab.refresh("derived.adjustment_factors", "derived.suspected_splits", "returns_stddev")
    return lab


def alike(rows):
    return [
        tuple(pytest.approx(v, rel=1e-9, abs=1e-12) if isinstance(v, float) else v for v in row)
        for row in rows
    ]


BUILT = ["derived.volatility_cone", "derived.volatility_latest"]


def test_every_builder_is_held_against_its_body(market):
    graph = market.environment().graph
    assert [name for name, model in sorted(graph.models.items()) if model.builder] == BUILT


@pytest.mark.parametrize("name", BUILT)
def test_every_builder_equals_its_body(market, name):
    model = market.environment().graph.models[name]
    market.refresh(name)
    grain = ", ".join(model.grain)
    built = market.rows(f"select * from {name} order by {grain}")
    defined = market.rows(f"select * from ({model.body}) as q order by {grain}")
    assert len({row[0] for row in built}) >= 4, "symbols"
    assert built == alike(defined)
