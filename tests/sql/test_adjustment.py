# SPDX-License-Identifier: Apache-2.0
"""Splits and dividends: factors, price bases, and prices that disagree with the actions."""

from __future__ import annotations

from datetime import date

import pytest

# The published example: closes 46.99 and 48.30, a 2:1 split (24.96), then 0.08 cash ex on the last day.
PUBLISHED = [
    (date(2024, 5, 6), 46.5, 47.2, 46.1, 46.99),
    (date(2024, 5, 7), 47.5, 48.5, 47.1, 48.30),
    (date(2024, 5, 8), 24.5, 25.1, 24.2, 24.96),
    (date(2024, 5, 9), 24.9, 25.0, 24.1, 24.53),
]

RELATIONS = ("eod_adjusted", "returns", "health")
"""What the tests ask about: the rest of the models need not be built."""


def _adjusted(lab, symbol="PUB"):
    rows = lab.rows(f"select adj_close from eod_adjusted where symbol = '{symbol}' order by date")
    return [row[0] for row in rows]


@pytest.fixture
def published(lab):
    lab.write_bars("PUB.csv", PUBLISHED)
    lab.write_actions("PUB", [("20240507", "split", 2, ""), ("20240508", "dividend", "", 0.08)])
    return lab


def test_split_and_dividend_of_the_published_example(published):
    published.refresh(*RELATIONS)
    # 24.96 before the dividend is worth 24.96 x (1 - 0.08 / 24.96) = 24.88.
    assert _adjusted(published) == pytest.approx(
        [23.4196955128, 24.0725961538, 24.88, 24.53], abs=1e-9
    )
    ((factor,),) = published.rows(
        "select dividend_factor from eod_adjusted where date = '2024-05-08'"
    )
    assert factor == pytest.approx(0.9967948718, abs=1e-10)


def test_split_moves_volume_and_dividend_does_not(published):
    published.refresh(*RELATIONS)
    rows = published.rows("select adj_volume, split_factor from eod_adjusted order by date")
    assert rows == [(2000.0, 0.5), (2000.0, 0.5), (1000.0, 1.0), (1000.0, 1.0)]


def test_split_basis_applies_dividends_only(published):
    halved = [
        (d, o / k, h / k, lo / k, c / k)
        for (d, o, h, lo, c), k in zip(PUBLISHED, (2, 2, 1, 1), strict=True)
    ]
    published.write_bars("PUB.csv", halved)
    published.environ["TTAPI_METASTOCK_PRICE_BASIS"] = "split"
    published.refresh(*RELATIONS)
    assert _adjusted(published) == pytest.approx(
        [23.4196955128, 24.0725961538, 24.88, 24.53], abs=1e-9
    )


def test_total_basis_applies_nothing(published):
    published.environ["TTAPI_METASTOCK_PRICE_BASIS"] = "total"
    published.refresh(*RELATIONS)
    assert _adjusted(published) == [46.99, 48.30, 24.96, 24.53]


def test_a_changed_price_basis_rebuilds_the_factors(published):
    published.refresh(*RELATIONS)
    published.environ["TTAPI_METASTOCK_PRICE_BASIS"] = "total"
    changed = {d.dataset for d in published.refresh(*RELATIONS).datasets if d.is_changed}
    assert {"raw.price_basis", "derived.adjustment_factors"} <= changed
    assert _adjusted(published) == [46.99, 48.30, 24.96, 24.53]


def test_returns_do_not_move_when_a_later_split_is_added(published):
    published.refresh(*RELATIONS)
    before = published.rows("select log_return from returns order by date")
    published.write_actions(
        "PUB",
        [
            ("20240507", "split", 2, ""),
            ("20240508", "dividend", "", 0.08),
            ("20240531", "split", 3, ""),
        ],
    )
    published.refresh(*RELATIONS)
    after = published.rows("select log_return from returns order by date")
    assert [r[0] for r in after[1:]] == pytest.approx([r[0] for r in before[1:]], abs=1e-15)


@pytest.mark.parametrize("cash", [24.96, 30])
def test_a_dividend_not_below_the_close_is_left_out_and_reported(lab, cash):
    lab.write_bars("PUB.csv", PUBLISHED[2:])
    lab.write_actions("PUB", [("20240508", "dividend", "", cash)])
    lab.refresh(*RELATIONS)
    assert _adjusted(lab) == [24.96, 24.53]
    assert lab.rows("select code, subject from health where code = 'dividend refused'") == [
        ("dividend refused", "PUB")
    ]


def test_an_impossible_ratio_of_one_symbol_leaves_the_others_adjusted(lab):
    for symbol in ("ODD", "PUB"):
        lab.write_bars(f"{symbol}.csv", PUBLISHED)
    lab.write_actions("PUB", [("20240507", "split", 2, "")])
    lab.write_actions("ODD", [("20240507", "split", "1e308", ""), ("20240506", "split", 2, "")])
    lab.refresh(*RELATIONS)
    assert _adjusted(lab) == [23.495, 24.15, 24.96, 24.53]
    assert _adjusted(lab, "ODD") == [23.495, 48.30, 24.96, 24.53]
    assert lab.rows("select file, line, reason from rejects") == [
        ("ODD.csv", 2, "a split ratio beyond 1e-09 to 1e+09")
    ]


def test_factors_of_many_possible_actions_of_one_symbol_stop_no_other(lab):
    for symbol in ("ODD", "PUB"):
        lab.write_bars(f"{symbol}.csv", PUBLISHED)
    lab.write_actions("PUB", [("20240507", "split", 2, "")])
    lab.write_actions(
        "ODD",
        [
            *((f"202405{day:02}", "split", 1e9, "") for day in (6, 7)),
            ("20240508", "dividend", "", 24.96 * (1 - 1e-12)),
        ],
    )
    lab.refresh(*RELATIONS)
    assert _adjusted(lab) == [23.495, 24.15, 24.96, 24.53]
    first = _adjusted(lab, "ODD")[0]
    assert first == pytest.approx(46.99e-18 * 1e-12, rel=1e-3)


def test_two_dividends_on_one_day_both_count(lab):
    lab.write_bars("PUB.csv", PUBLISHED[2:])
    lab.write_actions("PUB", [("20240508", "dividend", "", 1), ("20240508", "dividend", "", 0.5)])
    lab.refresh(*RELATIONS)
    assert _adjusted(lab)[0] == pytest.approx(24.96 - 1.5, abs=1e-12)


def test_an_unrecorded_split_is_reported_and_marks_the_series(lab):
    lab.write_bars("PUB.csv", PUBLISHED)
    lab.refresh(*RELATIONS)
    assert (
        lab.rows("select code, subject from health where code like '%split%'") == []
    )  # 1.935 is 3 % from 2:1
    lab.write_bars(
        "PUB.csv", [*PUBLISHED[:2], (date(2024, 5, 8), 24.2, 24.5, 24.0, 24.15), PUBLISHED[3]]
    )
    lab.refresh(*RELATIONS)
    rows = lab.rows("select code, subject, detail from health where code = 'unrecorded split'")
    assert [(code, subject) for code, subject, _ in rows] == [("unrecorded split", "PUB")]
    assert "2024-05-08" in rows[0][2]
    assert "2:1" in rows[0][2]
    assert lab.rows("select date, quality from returns where quality <> 'ok'") == [
        (date(2024, 5, 8), "suspected_split")
    ]


def test_prices_that_hold_a_split_already_are_reported(lab):
    flat = [(d, 25.0, 25.5, 24.5, 25.0) for d, *_ in PUBLISHED]
    lab.write_bars("PUB.csv", flat)
    lab.write_actions("PUB", [("20240507", "split", 2, "")])
    lab.refresh(*RELATIONS)
    assert lab.rows("select code, subject from health where code = 'double adjustment'") == [
        ("double adjustment", "PUB")
    ]


def test_the_smallest_splits_either_way_are_suspected(lab):
    for symbol, before, after in (("FWD", 30.0, 20.0), ("REV", 20.0, 30.0), ("NONE", 28.0, 20.0)):
        closes = ((date(2024, 5, 6), before), (date(2024, 5, 7), after))
        lab.write_bars(f"{symbol}.csv", [(day, *[close] * 4) for day, close in closes])
    lab.refresh(*RELATIONS)
    found = lab.rows("select symbol, date, finding, split from derived.suspected_splits order by 1")
    assert found == [
        ("FWD", date(2024, 5, 7), "unrecorded split", "3:2"),
        ("REV", date(2024, 5, 7), "unrecorded split", "2:3"),
    ]
