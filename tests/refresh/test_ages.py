# SPDX-License-Identifier: Apache-2.0
"""What is told of data that is there in part, not at all, or cannot be reached."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace

import pytest

import ttapi
from ttapi.api import Database, Freshness
from ttapi.api.published import _unfit, connect_published
from ttapi.errors import StaleError, UsageError
from ttapi.refresh.freshness import InputAge, StatusRow

BAR = "{},D,20240612,000000,10,11,9,10,1000,0"
HERE = Freshness(refresh=False)


@pytest.fixture
def three(lab):
    for symbol in ("AAA", "BBB", "CCC"):
        lab.write_bars(f"{symbol}.csv", [BAR.format(symbol)])
    return lab


def database(lab, **environ):
    return Database(lab.home, environ={**lab.environ, "TTAPI_NOW": lab.now.isoformat(), **environ})


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (InputAge("raw.x", 180.0), "3 min old"),
        (InputAge("raw.x", -1.0), "0 ms old"),
        (InputAge("raw.x", None), "never loaded"),
        (InputAge("raw.x", None, ("A", "B")), "loaded in part (A, B)"),
        (InputAge("raw.x", None, tuple("ABC")), "loaded in part (A, B, C)"),
        (InputAge("raw.x", None, tuple("ABCDE")), "loaded in part (A, B, C and 2 more)"),
    ],
)
def test_an_age_is_told_in_a_few_words(age, told):
    assert age.text == told


def test_what_was_loaded_in_part_is_not_called_never_loaded(three):
    with database(three) as db:
        assert db.sql("select symbol from eod where symbol = 'BBB'").arrow().num_rows == 1
        (age,) = db.sql("select count(*) from eod", freshness=HERE).prepared.ages
        assert age == InputAge("raw.metastock_bars", None, ("BBB",), has_rows=True)
        (age,) = db.sql("select 1 from eod where symbol = 'BBB'", freshness=HERE).prepared.ages
        assert age == InputAge("raw.metastock_bars", 0.0)
        with pytest.raises(StaleError, match=r"raw.metastock_bars is loaded in part \(BBB\)"):
            db.sql("select 1 from eod", freshness=replace(HERE, max_age="1d"))


def test_a_plain_connection_warns_of_what_was_never_loaded_and_of_what_is_too_old(
    three, monkeypatch
):
    for name in [name for name in os.environ if name.startswith("TTAPI_")]:
        monkeypatch.delenv(name)
    for name, text in three.environ.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("TTAPI_NOW", three.now.isoformat())
    assert warned(three) == [
        "never loaded: raw.constant_rates, raw.metastock_bars, raw.price_basis and 1 more; ttapi refresh brings them up to date"
    ]
    three.refresh()
    assert warned(three) == []
    monkeypatch.setenv("TTAPI_NOW", "2024-06-18T22:00:00Z")
    (told,) = warned(three)
    assert (
        told
        == "past their TTL: raw.metastock_bars, raw.price_basis; ttapi refresh brings them up to date"
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", "fresh", ())], ""),
        ([(name, "stale", ("ttl 1d passed",)) for name in "abc"], "past their TTL: a, b, c"),
        ([(name, "stale", ("ttl 1d passed",)) for name in "abcd"], "past their TTL: a, b, c and 1 more"),
        ([("a", "stale", ("asked in part only",)), ("b", "failed", ())], "loaded in part: a; failed: b"),
        ([("a", "missing", ()), ("b", "stale", ("upstream missing: a",))], "never loaded: a"),
    ],
)  # fmt: skip
def test_what_is_not_up_to_date_is_told_by_what_is_wrong_with_it(rows, told):
    assert _unfit(StatusRow(*row, None, None, None, None) for row in rows) == told


def warned(lab):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        connect_published(lab.home.root).close()
    assert {one.filename for one in seen} <= {__file__}
    return [str(one.message) for one in seen]


def test_a_missing_link_is_answered_with_the_command_that_brings_it_back(three, monkeypatch):
    three.refresh()
    three.home.public_file.unlink()
    command = f"ttapi --home {three.home.root} restore live publishes it again"
    for door in (lambda: database(three).sql("select 1"), lambda: ttapi.connect(three.home.root)):
        with pytest.raises(UsageError) as refused:
            door()
        assert refused.value.hint == command
    for words in (["sql", "select 1"], ["export", "--database", "x.duckdb"], ["why", "eod", "AAA"]):
        done = three.ttapi(*words)
        assert (done.returncode, done.stderr.splitlines()[-1].strip()) == (2, command)
