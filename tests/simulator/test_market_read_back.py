# SPDX-License-Identifier: Apache-2.0
"""The synthetic market through the real metastock source: read exactly as it was declared."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from ttapi.market.calendar import sessions
from ttapi.sources.contract import SourceContext, UnitRequest
from ttapi.sources.metastock import MetastockSource

_REASONS = {
    "torn last line": "torn last line",
    "repeated header": "repeated header",
    "close 0": "close is not above 0",
    "impossible date": "unparsable date",
}


@pytest.fixture(scope="module")
def read_back(small_market):
    """Rows with file and line, rejects as (file, line, reason), and the reports."""
    source = MetastockSource()
    bars = next(resource for resource in source.resources if resource.name == "bars")
    settings = {"path": str(small_market.folder / "metastock")}
    context = SourceContext(settings, now=datetime(2024, 6, 15, tzinfo=UTC))
    requests = [UnitRequest(unit) for unit in source.survey(bars, context)]
    rows, rejects, reports = [], [], []
    for batch in source.fetch(bars, requests, context):
        files = pl.Series([report.unit.key for report in batch.units])
        reports += batch.units
        if batch.rows is not None:
            frame = pl.from_arrow(batch.rows)
            rows.append(frame.with_columns(files.gather(frame["unit"]).alias("file")))
        if batch.rejects is not None:
            for unit, line, reason, _ in pl.from_arrow(batch.rejects).iter_rows():
                rejects.append((files[unit], line, reason))
    return pl.concat(rows), sorted(rejects), reports


def test_refused_rows_are_the_declared_ones(small_market, read_back):
    _, rejects, _ = read_back
    assert rejects == sorted((f.file, f.line, _REASONS[f.kind]) for f in small_market.refused)
    assert len(rejects) == 4


def test_accepted_rows_are_the_declared_ones(small_market, read_back):
    rows, _, reports = read_back
    assert rows.height == small_market.rows
    assert sum(report.rows_in for report in reports) == small_market.rows + 4
    assert not [report for report in reports if report.error or report.notes]


def test_every_symbol_is_read_whatever_its_dialect(small_market, read_back):
    rows, _, _ = read_back
    assert set(rows["symbol"]) == set(small_market.symbols)
    assert rows["file"].n_unique() == len(small_market.symbols)


def test_every_session_is_there_but_those_declared_absent(small_market, read_back):
    rows, _, _ = read_back
    calendar = sessions("XNYS")
    absent = {}
    for symbol, days in rows.group_by("symbol"):
        seen = {day for day in days["date"] if day.weekday() < 5}
        last = max(seen)
        # A torn last line takes the last session with it.
        if symbol[0] not in small_market.delisted:
            last = small_market.last_session
        day, expected = min(seen), set()
        while day <= last:
            expected.add(day)
            day = calendar.next_session(day)
        if expected - seen:
            absent[symbol[0]] = tuple(sorted(expected - seen))
        assert seen <= expected
    assert absent == small_market.absent
    assert len(absent) >= 3


def test_accepted_oddities_are_where_they_were_declared(small_market, read_back):
    rows, _, _ = read_back
    odd = {
        flaw.kind: rows.row(
            by_predicate=(pl.col("file") == flaw.file) & (pl.col("line") == flaw.line), named=True
        )
        for flaw in small_market.flaws
        if not flaw.is_refused
    }
    assert odd["open 0"]["open"] == 0
    assert odd["high below low"]["high"] < odd["high below low"]["low"]
    assert odd["weekend"]["date"].weekday() == 5
    twice = _same_date(rows, odd["same row twice"])
    assert [row["close"] for row in twice] == [twice[0]["close"]] * 2
    two = _same_date(rows, odd["two closes for one date"])
    assert len({row["close"] for row in two}) == 2


def _same_date(rows, row):
    same = (pl.col("symbol") == row["symbol"]) & (pl.col("date") == row["date"])
    return rows.filter(same).to_dicts()


def test_all_other_bars_are_in_order(small_market, read_back):
    rows, _, _ = read_back
    odd = {(flaw.file, flaw.line) for flaw in small_market.flaws if not flaw.is_refused}
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    bad = rows.filter(
        (pl.col("high") < top)
        | (pl.col("low") > bottom)
        | (pl.min_horizontal("open", "low") <= 0)
        | (pl.col("volume") < 100)
    )
    assert {(row["file"], row["line"]) for row in bad.to_dicts()} <= odd
    assert bad.height == 2


def test_prices_are_raw_so_every_split_shows(small_market, read_back):
    rows, _, _ = read_back
    calendar = sessions("XNYS")
    shown = []
    for file in sorted((small_market.folder / "corporate_actions").iterdir()):
        for line in file.read_text().splitlines()[1:]:
            day, kind, ratio, _ = line.split(",")
            if kind == "split":
                before = date.fromisoformat(day)
                after = calendar.next_session(before)
                jump = _close(rows, file.stem, before) / _close(rows, file.stem, after)
                shown.append(0.8 < jump / float(ratio) < 1.25)
    assert shown == [True] * small_market.splits
    [(symbol, [day])] = small_market.unrecorded.items()
    before = day - timedelta(days=1)
    jump = _close(rows, symbol, calendar.session_on_or_before(before)) / _close(rows, symbol, day)
    assert jump == pytest.approx(2.0, rel=0.001)


def _close(rows, symbol, day):
    return rows.row(
        by_predicate=(pl.col("symbol") == symbol) & (pl.col("date") == day), named=True
    )["close"]
