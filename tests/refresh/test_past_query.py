# SPDX-License-Identifier: Apache-2.0
"""What `--as-of T` answers is what a home answered that had loaded nothing after T.

Facts are loaded when the market knew them, as of a home that follows the market; what is loaded
later of a past day is, by design, known since that day.
"""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttapi.api import Database, Freshness
from ttapi.home import Home
from ttapi.market.calendar import sessions

pytestmark = pytest.mark.compat

SYMBOLS = ("AAA", "BBB")
FILES = ("AAA.csv", "BBB.csv", "copy/AAA.csv", "more/AAA.csv")
FIRST = 60
DAYS = [d for d in sessions("XNYS").dates if sessions("XNYS").is_session(d)]
DAYS = [d for d in DAYS if d.year == 2024 and d.month < 6]
QUERIES = (
    "select * from eod order by all",
    "select * from eod where symbol = 'AAA' order by date",
    "select * from staged.eod where symbol in ('AAA', 'BBB') order by all",
    "select * from eod_adjusted order by symbol, date",
    "select * from returns order by symbol, date",
    "select * from volatility where lookback = 20 and symbol = 'AAA' order by date",
    "select * from volatility_latest order by symbol, lookback",
    "select * from returns_stddev where symbol = 'AAA' order by root, expiration_date, settlement",
    "select * from corporate_actions order by all",
    (
        "with mine as (select * from eod e) select m.symbol, count(*) as n, max(m.date) as last"
        " from mine m join calendar c on c.market = 'XNYS' and c.date = m.date group by all order by all"
    ),
)
READ = (
    "eod",
    "eod_adjusted",
    "returns",
    "volatility",
    "volatility_latest",
    "returns_stddev",
    "corporate_actions",
    "calendar",
)
QUIET = Freshness(refresh=False)
IS_CAMPAIGN = bool(os.environ.get("TTAPI_CAMPAIGN"))

prices = st.sampled_from([40.0, 50.0, 99.5, 101.0, 102.5])
events = st.tuples(
    st.sampled_from(["correct", "delete", "restore", "vanish", "return", "lag", "action"]),
    st.sampled_from(FILES),
    st.integers(0, FIRST - 1),
    prices,
)
evenings = st.lists(st.lists(events, max_size=4), min_size=1, max_size=4 if IS_CAMPAIGN else 2)


class Folder:
    """Files that follow the market: each evening brings the day's bar, and what has changed of others."""

    def __init__(self, lab):
        self.lab = lab
        self.bars = {
            name: {d: 100.0 + i % 7 + 3 * n for i, d in enumerate(DAYS[:FIRST])}
            for n, name in enumerate(FILES)
        }
        self.deleted = {name: {} for name in FILES}
        self.lagging: set[str] = set()
        self.gone: set[str] = set()
        self.actions = {symbol: [] for symbol in SYMBOLS}
        self.day = FIRST - 1
        self.write()

    def evening(self, happened):
        self.day += 1
        self.lagging = set()
        for event in happened:
            self.apply(*event)
        for n, name in enumerate(FILES):
            if name not in self.lagging:
                self.bars[name][DAYS[self.day]] = 90.0 + 5 * n + self.day % 5
        self.write()

    def apply(self, kind, name, n, price):
        bars, deleted = self.bars[name], self.deleted[name]
        day = DAYS[n]
        if kind == "correct" and day in bars:
            bars[day] = price
        elif kind == "delete" and len(bars) > 5 and day in bars:
            deleted[day] = bars.pop(day)
        elif kind == "restore" and deleted:
            back = min(deleted)
            bars[back] = deleted.pop(back) + 1
        elif kind == "vanish":
            self.gone.add(name)
        elif kind == "return":
            self.gone.discard(name)
        elif kind == "lag":
            # It never gets this day's bar: others reach further.
            self.lagging.add(name)
        elif kind == "action":
            # Announced the evening before: its ex-date is the next session.
            row = (f"{DAYS[self.day]:%Y%m%d}", "split", 2, "")
            if n % 2:
                row = (f"{DAYS[self.day]:%Y%m%d}", "dividend", "", 0.5)
            if row not in self.actions["AAA"]:
                self.actions["AAA"].append(row)

    def write(self):
        for name, bars in self.bars.items():
            file = self.lab.metastock / name
            file.unlink(missing_ok=True)
            if name not in self.gone:
                self.lab.write_bars(
                    name, [(d, c, c + 1, c - 1, c) for d, c in sorted(bars.items())]
                )
        for symbol, rows in self.actions.items():
            self.lab.write_actions(symbol, rows)


@pytest.fixture
def homes(template_home, tmp_path, lab_type):
    numbers = iter(range(10_000))

    def make():
        folder = tmp_path / f"h{next(numbers)}"
        shutil.copytree(template_home.root, folder / "home", symlinks=True)
        (folder / "metastock").mkdir()
        return lab_type(
            Home(folder / "home"), folder, {"TTAPI_METASTOCK_PATH": str(folder / "metastock")}
        )

    return make


def answers(lab, **as_of):
    """The rows of every query: now, or as of a point in time."""
    environ = {**lab.environ, "TTAPI_NOW": lab.now.isoformat()}
    with closing(Database(lab.home, environ=environ)) as database:
        return {
            sql: database.sql(sql, freshness=QUIET, **as_of).arrow().to_pylist() for sql in QUERIES
        }


def alike(rows):
    """Rows whose numbers may come out of SQL or of a builder: their last digits differ."""
    return [
        {
            k: pytest.approx(v, rel=1e-9, abs=1e-12) if isinstance(v, float) else v
            for k, v in r.items()
        }
        for r in rows
    ]


@pytest.mark.campaign
@settings(
    max_examples=100 if IS_CAMPAIGN else 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(evenings)
def test_as_of_answers_what_was_answered_then(homes, history):
    lab = homes()
    folder = Folder(lab)
    told = {}
    for happened in [[], *history]:
        if told:
            folder.evening(happened)
        lab.now = datetime.combine(DAYS[folder.day], datetime.min.time(), UTC) + timedelta(hours=22)
        assert not any(d.error for d in lab.refresh(*READ).datasets)
        told[lab.now] = answers(lab)
    for instant, then in told.items():
        found = answers(lab, as_of=instant)
        for sql, rows in then.items():
            assert found[sql] == alike(rows), (instant, sql)
    # Nothing came between the first evening and the end of its day.
    first = min(told)
    assert answers(lab, as_of=first.date()) == answers(lab, as_of=first)
    shutil.rmtree(lab.data)
