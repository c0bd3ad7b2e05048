# SPDX-License-Identifier: Apache-2.0
"""A history of loads, late rows, corrections and vanished files, refreshed step by step, ends where a
rebuild of everything from raw ends, row for row."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

import pytest
from draws import draws
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttapi.home import Home

SYMBOLS = ["AAA", "BBB", "CCC"]
DAYS = [date(2024, 1, 2) + timedelta(days=n) for n in range(130)]
TABLES = {
    "derived.adjustment_factors": "symbol, valid_until",
    "derived.suspected_splits": "symbol, date",
    "derived.returns_stddev": "symbol, root, expiration_date, settlement",
    "derived.volatility_latest": "symbol, lookback",
    "derived.volatility_cone": "symbol, lookback",
}

prices = st.sampled_from([40.0, 50.0, 50.5, 51.0, 99.5, 100.0, 101.0, 102.5])


@st.composite
def events(draw):
    """What happens to the folder between two refreshes."""
    kind = draw(
        st.sampled_from(
            [
                "append",
                "correct",
                "late",
                "duplicate file",
                "vanish",
                "return",
                "action",
                "touch",
                "bad row",
            ]
        )
    )
    return kind, draw(st.sampled_from(SYMBOLS)), draw(st.integers(0, 100)), draw(prices)


class Folder:
    """The folder's content as the history has left it."""

    def __init__(self, lab):
        self.lab = lab
        self.bars = {
            s: {d: 100.0 + (i % 7) + 3 * n for i, d in enumerate(DAYS[:90]) if d.weekday() < 5}
            for n, s in enumerate(SYMBOLS)
        }
        self.copies: dict[str, dict] = {}
        self.gone: set[str] = set()
        self.bad: set[str] = set()
        self.actions: dict[str, list] = {}
        for symbol in SYMBOLS:
            self.write(symbol)

    def write(self, symbol):
        rows = [(d, c, c + 1, c - 1, c) for d, c in sorted(self.bars[symbol].items())]
        if symbol in self.bad:
            rows.append(f"{symbol},D,20240231,000000,1,1,1,1,1,0")
        if symbol not in self.gone:
            self.lab.write_bars(f"{symbol}.csv", rows)
        if symbol in self.copies:
            copy = [
                f"{symbol},D,{d:%Y%m%d},000000,{c},{c},{c},{c},5,0"
                for d, c in sorted(self.copies[symbol].items())
            ]
            self.lab.write_bars(f"copy/{symbol}2.csv", copy)

    def apply(self, event):
        kind, symbol, n, price = event
        bars = self.bars[symbol]
        sessions = sorted(bars)
        if kind == "append":
            later = [d for d in DAYS if d > sessions[-1] and d.weekday() < 5][: 1 + n % 4]
            bars.update(dict.fromkeys(later, price))
        elif kind == "correct":
            bars[sessions[n % len(sessions)]] = price
        elif kind == "late":
            del bars[sessions[n % len(sessions)]]
        elif kind == "duplicate file":
            self.copies[symbol] = dict.fromkeys(sessions[-(1 + n % 5) :], price)
        elif kind == "vanish":
            self.gone.add(symbol)
            (self.lab.metastock / f"{symbol}.csv").unlink(missing_ok=True)
        elif kind == "return":
            self.gone.discard(symbol)
        elif kind == "bad row":
            self.bad ^= {symbol}
        elif kind == "action":
            day = sessions[n % len(sessions)]
            row = (
                (f"{day:%Y%m%d}", "split", 2, "")
                if n % 2
                else (f"{day:%Y%m%d}", "dividend", "", round(price / 100, 2))
            )
            self.actions[symbol] = [row]
            self.lab.write_actions(symbol, self.actions[symbol])
        self.write(symbol)


def _tables(lab):
    return {
        name: lab.rows(f"select * from {name} order by {order}") for name, order in TABLES.items()
    }


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


@pytest.mark.campaign
@pytest.mark.drawn
@settings(
    max_examples=draws(6, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(events(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_incremental_equals_full_rebuild(homes, history):
    lab = homes()
    folder = Folder(lab)
    lab.refresh("eod", *TABLES)
    for step, happened in enumerate(history):
        for event in happened:
            folder.apply(event)
        lab.now += timedelta(hours=1)
        outcome = lab.refresh("eod", *TABLES)
        assert not any(d.error for d in outcome.datasets), step
    incremental = _tables(lab)
    eod = lab.rows("select symbol, date, close from eod order by all")
    _forget_derived(lab)
    lab.refresh("eod", *TABLES)
    assert _tables(lab) == incremental
    assert lab.rows("select symbol, date, close from eod order by all") == eod
    _ledger_equals_data(lab)
    shutil.rmtree(lab.data)


def _forget_derived(lab):
    from ttapi.store.store import open_store

    with (
        open_store(lab.home, command="test", wait_s=0, now=lab.now) as store,
        store.transaction() as cursor,
    ):
        for name in TABLES:
            cursor.execute(f"delete from {name}")
            cursor.execute("delete from catalog.state where dataset = ?", [name])


def _ledger_equals_data(lab):
    rows = lab.rows(
        "select u.key, u.rows_accepted, count(b.unit_id) from catalog.units u"
        " left join raw.metastock_bars b on b.unit_id = u.unit_id and b.replaced_at is null"
        " where u.dataset = 'raw.metastock_bars' group by all"
    )
    assert all(accepted == stored for _, accepted, stored in rows), rows
    assert (
        lab.rows(
            "select symbol, date from raw.metastock_bars where is_current and per = 'D' group by all having count(*) > 1"
        )
        == []
    )
