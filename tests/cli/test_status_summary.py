# SPDX-License-Identifier: Apache-2.0
"""`ttapi status`: what is wrong, a line a source that is configured or holds something, the rest in numbers."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest


@pytest.fixture(scope="module")
def market(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("status"))
    lab.write_bars("AAA.csv", [(date(2024, 6, day), 10, 12, 9, 10) for day in (12, 13)])
    lab.refresh()
    return lab


def test_it_fits_on_a_screen_and_names_each_source_once(market):
    lines = market.ttapi("status").stdout.splitlines()
    assert len(lines) < 15
    words = [line.split()[:2] for line in lines]
    assert ["calendar", "fresh"] in words and ["metastock", "fresh"] in words
    assert not any(line.startswith(("raw.", "tastytrade ", "dxlink ")) for line in lines)
    assert "not configured: dxlink, files, tastytrade (ttapi sources says what each needs)" in lines
    every = json.loads(market.ttapi("status", "--json").stdout)
    assert f"ttapi status --all: a line for each of {len(every)} datasets" in lines
    shown = market.ttapi("status", "--all").stdout.splitlines()
    assert [line.split()[0] for line in shown[1 : len(every) + 1]] == [row["dataset"] for row in every]  # fmt: skip


def test_what_is_stale_says_so_at_its_source(market):
    later = market.copied(market.data.parent / "later")
    later.now += timedelta(days=30)
    lines = later.ttapi("status").stdout.splitlines()
    (calendar,) = [line for line in lines if line.startswith("calendar ")]
    assert calendar.split()[1] == "stale" and "ttl" in calendar.lower()
    assert any("follow when they are asked for" in line for line in lines)


def test_what_is_wrong_comes_first(market):
    wrong = market.copied(market.data.parent / "wrong")
    wrong.write_model("views/odd.sql", "select from where")
    wrong.ttapi("refresh")
    lines = wrong.ttapi("status").stdout.splitlines()
    assert lines[1].split()[:2] == ["odd", "failed"]
    assert "sql/views/odd.sql:1" in lines[1]
