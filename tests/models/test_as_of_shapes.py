# SPDX-License-Identifier: Apache-2.0
"""Every SELECT as people write it answers as of now what it answers plainly, or is refused by name."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from built_once import built_once
from draws import draws

from ttapi.api import Database, Freshness
from ttapi.errors import UsageError
from ttapi.home import Home

SHAPES = Path(__file__).resolve().parents[2] / "fixtures" / "queries" / "shapes.sql"
QUIET = Freshness(refresh=False)
REFUSED = (
    "reads catalog.", "reads raw.rejects", "takes its own instant", "computes what it reads", "only a SELECT is answered",
)  # fmt: skip
EVERY = 84 // draws(12, 84)
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
LATER = timedelta(minutes=5)
DAYS = [date(2024, 4, 1) + timedelta(days=n) for n in range(75)]


@pytest.fixture(scope="module")
def market(make_lab, lab_type, tmp_path_factory):
    """Two symbols in three files, one of them corrected since, and a dividend."""
    folder = built_once("shapes", lambda folder: build_market(make_lab(folder)), __file__)
    lab = lab_type(Home(folder / "home"), folder / "data", now=NOW + LATER)
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    lab.environ["TTAPI_FILES_CORPORATE_ACTIONS_PATH"] = str(lab.data / "actions")
    return lab.copied(tmp_path_factory.mktemp("shapes"))


def build_market(lab):
    bars = [(d, 10, 14, 9, 10 + d.day % 4) for d in DAYS if d.weekday() < 5]
    for name in ("AAPL.csv", "SPY.csv", "late/AAPL.csv"):
        lab.write_bars(name, bars)
    lab.write_actions("AAPL", [("20240509", "dividend", "", 0.25)])
    lab.refresh()
    lab.write_bars("AAPL.csv", [(d, o, h, low, c + 0.5) for d, o, h, low, c in bars])
    lab.refresh(now=lab.now + LATER)


def statements():
    lines = [line for line in SHAPES.read_text().splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip(" ;\n")]


def rows(answer):
    """Values whatever their order; sums of floating point may add up in another one.

    A column without a name is called after its text, in which the relations are called otherwise.
    """
    return sorted(
        str([float(f"{v:.9g}") if isinstance(v, float) else v for v in row.values()])
        for row in answer.arrow().to_pylist()
    )


@pytest.mark.campaign
@pytest.mark.drawn
def test_every_shape_answers_as_of_now_what_it_answers(market):
    environ = {**market.environ, "TTAPI_NOW": market.now.isoformat()}
    refused, unlike = {}, []
    with closing(Database(market.home, environ=environ)) as database:
        for n, sql in enumerate(statements()):
            bound = {"symbol": "AAPL"} if "$symbol" in sql and "prepare" not in sql else ()
            is_chance = "sample" in sql
            if (count := database.count_answers(sql)) != 1 or n % EVERY or is_chance:
                _ = database.sql(sql, bound, freshness=QUIET) if not count else None
                continue
            plain = database.sql(sql, bound, freshness=QUIET)
            try:
                found = database.sql(sql, bound, freshness=QUIET, as_of=market.now)
            except UsageError as exc:
                refused[sql] = exc.message.partition(": ")[2] or exc.message
                continue
            if rows(found) != rows(plain):
                unlike.append(sql)
    assert unlike == []
    assert [sql for sql, why in refused.items() if not any(told in why for told in REFUSED)] == []
