# SPDX-License-Identifier: Apache-2.0
"""The fast way and the careful way agree on any file, and no line is lost on either."""

from __future__ import annotations

from datetime import date

import pytest
from draws import draws
from hypothesis import given, settings
from hypothesis import strategies as st

from ttapi.sources.metastock.dialect import PreparedFile, prepare_lines, prepare_plain
from ttapi.sources.metastock.parse import Numbered, Outcome, parse_careful, parse_together
from ttapi.sources.text_files import decode, physical_lines

TODAY = date(2024, 6, 14)
COLUMNS = ("ticker", "per", "date", "time", "open", "high", "low", "close", "vol", "openint")

ODD = [
    *("", "-", "NA", "nan", "inf", "1e400", "-1", "0", "-0", "+1", ".5", "5.", "1_0", "1e"),
    *("1.23E+07", " 7", "7 ", '"8"', '"8', "1,5", "1.234,5", "\x1f7", "7\0", "TRUE", "é", "--1"),
    *("1 2", "930", "00000000", "19000101", "080121", "2008-01-21", "12/21/2008", "21/12/2008"),
    *("01/02/2008", "20240230", "2024013", "+2024010", "00240102", " 20240102", "20240102 ", "W"),
]
odd = st.one_of(st.sampled_from(ODD), st.sampled_from(ODD), st.floats().map(repr))
usual = {name: st.just("7") for name in COLUMNS} | {
    "ticker": st.just("AAPL"),
    "per": st.just("D"),
    "date": st.dates(date(1990, 1, 1), date(2024, 7, 1)).map(lambda day: f"{day:%Y%m%d}"),
    "time": st.just("000000"),
    "close": st.sampled_from(["1.5", "2", "0"]),
}


@st.composite
def rows(draw: st.DrawFn, names: list[str], delimiter: str) -> str:
    """A line that is mostly usual: of its cells at most one is odd."""
    row = {name: draw(usual[name]) for name in names}
    if draw(st.booleans()):
        row[draw(st.sampled_from(names))] = draw(odd)
    return delimiter.join(row.values())


@st.composite
def files(draw: st.DrawFn) -> bytes:
    names = draw(st.lists(st.sampled_from(COLUMNS), unique=True, max_size=10))
    names = [*dict.fromkeys([*names, "date", "close"])]
    delimiter = draw(st.sampled_from([",", ",", ";", "\t"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    lines = draw(st.lists(rows(names, delimiter), max_size=4))
    extra = ["", " ", "AAPL,20240102", delimiter * 20, delimiter.join(names), '"', end]
    if draw(st.integers(0, 3)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(extra)))
    header = delimiter.join(f"<{name.upper()}>" for name in names)
    tail = draw(st.sampled_from([end, end, "", "\0\0", end + "\x1a"]))
    text = end.join([header, *lines]) + tail
    return (draw(st.sampled_from(["", "", "\ufeff"])) + text).encode()


def outcome_as_values(outcome: Outcome) -> tuple[object, ...]:
    rows = [row for part in outcome.parts for row in part.rows.sort("line").iter_rows()]
    rejects = {
        unit: [(one.line, one.reason, one.text) for one in own]
        for unit, own in outcome.rejects.items()
    }
    return [tuple(cell or None if cell == "" else cell for cell in row) for row in rows], rejects


def both_ways(content: bytes) -> tuple[Outcome, Outcome, PreparedFile]:
    careful = prepare_lines(content)
    chosen = prepare_plain(content) or careful
    fast = parse_together({0: chosen}, lambda _: content, TODAY)
    return fast, parse_together({0: careful}, lambda _: content, TODAY), careful


@pytest.mark.drawn
@settings(max_examples=draws(400), deadline=None)
@given(files())
def test_fast_and_careful_ways_agree(content):
    fast, careful, _ = both_ways(content)
    assert outcome_as_values(fast) == outcome_as_values(careful)
    assert [fast.notes.get(0, [])] == [careful.notes.get(0, [])]


@pytest.mark.drawn
@settings(max_examples=draws(150), deadline=None)
@given(files())
def test_every_line_is_accepted_or_refused(content):
    fast, _, careful = both_ways(content)
    lines = [line for line in physical_lines(decode(content)) if line.strip()]
    accepted = [line for part in fast.parts for line in part.rows["line"]]
    refused = [one.line for one in fast.rejects.get(0, [])]
    assert len(lines) - careful.dialect.has_header == len(accepted) + len(refused)
    assert len({*accepted, *refused}) == len(accepted) + len(refused)


@pytest.mark.drawn
@settings(max_examples=draws(40), deadline=None)
@given(st.lists(files(), min_size=2, max_size=5))
def test_files_parsed_together_are_files_parsed_alone(contents):
    chosen = {
        unit: prepare_plain(content) or prepare_lines(content)
        for unit, content in enumerate(contents)
    }
    together = parse_together(chosen, contents.__getitem__, TODAY)
    for unit, content in enumerate(contents):
        alone, _, _ = both_ways(content)
        rows = [row for part in together.parts for row in part.rows.rows() if row[0] == unit]
        expected = [row for part in alone.parts for row in part.rows.rows()]
        assert [row[1:] for row in rows] == [row[1:] for row in expected]
        assert together.rejects.get(unit) == alone.rejects.get(0)


def test_plain_files_go_the_fast_way():
    content = b"ticker,date,close\nAAPL,20240102,1.5\nAAPL,20240103,1.75\n"
    file = prepare_plain(content)
    assert file is not None
    assert file.body == b"AAPL,20240102,1.5\nAAPL,20240103,1.75\n"
    windows = prepare_plain(content.replace(b"\n", b"\r\n"))
    assert windows == file


def test_careful_way_reports_no_doubt():
    file = prepare_lines(b"ticker,date,close\nAAPL,20240102,1.5\n")
    assert parse_careful([Numbered(0, file)], TODAY).doubtful == {}
