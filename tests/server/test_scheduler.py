# SPDX-License-Identifier: Apache-2.0
"""What is refreshed by itself: what is due, within the calls of an hour, and chains before each close."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ttapi.api import Database
from ttapi.errors import StoreError
from ttapi.market.calendar import options_close
from ttapi.refresh.freshness import StatusRow
from ttapi.server.kept_fresh import ClosingChains, closing_chains
from ttapi.server.routes import API
from ttapi.server.scheduler import Scheduler, seconds_to_next
from ttapi.server.tasks import RefreshQueue

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
KEYED = Path(__file__).resolve().parents[2] / "fixtures" / "plugins" / "keyed.py"
LEVELS = "raw.keyed_levels"


class Planned:
    """A scheduler of a home, its clock and its instant in the test's hands."""

    def __init__(self, lab):
        self.lab, self.seconds = lab, 0.0
        self.environ = {**lab.environ, "TTAPI_NOW": lab.now.isoformat()}
        self.database = Database(lab.home, environ=self.environ)
        self.queue = RefreshQueue(self.database)
        self.scheduler = Scheduler(
            self.database, self.queue, clock=lambda: self.seconds, chance=lambda: 0.0
        )

    def close(self):
        assert self.queue.close(60)
        self.database.close()

    def at(self, instant):
        self.environ["TTAPI_NOW"] = instant

    def done(self):
        """What it has refreshed now, one after the other, until nothing is left; and the pause then."""
        found = []
        while True:
            task, pause_s = self.scheduler.look()
            if task is None:
                return found, pause_s
            names = self.scheduler._running[task.id]
            assert task.over.wait(60)
            self.scheduler.settle(task)
            found.append((*names, task.state))


@pytest.fixture
def planned(make_lab, whole_home, tmp_path):
    """Of a home in which a source by symbols, and one of files, are configured."""
    lab = make_lab(tmp_path, whole_home)
    shutil.copy(KEYED, lab.home.sources)
    folder = lab.data / "keyed"
    folder.mkdir()
    (folder / "levels.csv").write_text("symbol,date,level\nAAA,2024-06-13,1\nBBB,2024-06-14,2\n")
    lab.environ |= {
        "TTAPI_KEYED_FOLDER": str(folder),
        "TTAPI_UNIVERSE_DEFAULT": "AAA,BBB",
        "TTAPI_SERVE_KEEP_FRESH": LEVELS,
    }
    with closing(Planned(lab)) as found:
        yield found


def requests(planned):
    log = planned.lab.data / "keyed" / "requests.log"
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def test_what_is_due_is_asked_and_then_not_before_it_is_due_again(planned):
    assert planned.done() == ([(LEVELS, "done")], 900.0)
    assert requests(planned) == ["AAA", "BBB"]
    planned.seconds = 61.0
    # The next close is Monday's: there is nothing to do until then but to look.
    assert planned.done() == ([], 900.0)
    planned.at("2024-06-17T20:44:59Z")
    assert planned.done() == ([], 1.0)
    planned.at("2024-06-17T20:45:01Z")
    found, _ = planned.done()
    assert found[0] == (LEVELS, "done")
    assert requests(planned) == ["AAA", "BBB", "AAA", "BBB"]
    (row,) = planned.database.status(LEVELS).rows
    assert row.verdict == "fresh"


def test_what_fails_is_asked_again_after_pauses_that_double(planned):
    (planned.lab.data / "keyed" / "down").touch()
    pauses = []
    for _ in range(5):
        found, _ = planned.done()
        assert (LEVELS, "failed") in found
        began = planned.seconds
        planned.seconds = planned.scheduler._pauses[LEVELS].until
        pauses.append(planned.seconds - began)
    assert pauses == [30.0, 60.0, 120.0, 240.0, 480.0]
    document = planned.scheduler.document()
    assert document["failing"][LEVELS]["failures"] == 5
    assert f"{LEVELS} failed 5 times: levels.example does not answer" in document["text"]
    (planned.lab.data / "keyed" / "down").unlink()
    assert planned.done()[0][0] == (LEVELS, "done")
    assert planned.scheduler.document()["failing"] == {}


def test_more_calls_than_the_hour_has_are_left_alone_and_told(planned):
    planned.environ["TTAPI_SERVE_MAX_CALLS"] = "1"
    found, _ = planned.done()
    assert [one[0] for one in found] == ["tables"]
    assert requests(planned) == []
    assert planned.scheduler.document()["left_alone"] == {
        LEVELS: "2 source calls, and 1 of the hour's 1 are left"
    }
    planned.environ["TTAPI_SERVE_MAX_CALLS"] = "3"
    assert planned.done()[0] == [(LEVELS, "done")]
    assert planned.scheduler.document()["calls_in_hour"] == 2
    planned.at("2024-06-17T20:45:01Z")
    planned.seconds = 1_800.0
    assert (LEVELS, "done") not in planned.done()[0]
    assert "1 of the hour's 3 are left" in planned.scheduler.document()["text"]
    planned.seconds = 3_601.0
    assert (LEVELS, "done") in planned.done()[0]


def test_tables_are_made_of_what_is_there_while_a_source_fails(planned):
    planned.environ["TTAPI_SERVE_KEEP_FRESH"] = "all"
    (planned.lab.data / "keyed" / "down").touch()
    planned.lab.write_bars("NEW.csv", [(datetime(2024, 6, 13), 1, 2, 1, 2)])
    planned.at("2024-06-17T21:00:00Z")
    found, _ = planned.done()
    assert (LEVELS, "failed") in found and found[-1] == ("tables", "done")
    assert planned.lab.rows("select n_days is null, close from eod left join symbol_summary using (symbol)") == [(True, 2.0)]  # fmt: skip
    assert requests(planned) == ["AAA", "BBB"], "asked once, by its own refresh"


def test_nothing_is_kept_where_nothing_shall_be(planned):
    planned.environ["TTAPI_SERVE_KEEP_FRESH"] = "none"
    assert planned.done() == ([], 900.0)
    assert planned.scheduler.document()["text"] == "keeps nothing fresh"


def test_a_name_nobody_knows_is_told_and_the_rest_is_kept(planned):
    planned.environ["TTAPI_SERVE_KEEP_FRESH"] = f"nonsense,{LEVELS}"
    assert planned.done()[0] == [(LEVELS, "done")]
    document = planned.scheduler.document()
    (wrong,) = document["wrong_settings"]
    assert wrong.startswith("TTAPI_SERVE_KEEP_FRESH: 'nonsense' is no dataset")
    assert document["lines"] == [f"keeps nonsense, {LEVELS} fresh", wrong]
    assert planned.scheduler.wrong_settings() == (wrong,)
    planned.environ["TTAPI_SERVE_KEEP_FRESH"] = "nonsense"
    planned.at("2024-06-17T20:45:01Z")
    planned.seconds = 3_600.0
    assert planned.done() == ([], 900.0), "nothing, and not everything"


def test_what_fails_alike_is_one_line_with_its_reason_which_names_files_to_the_owner_alone(planned):
    def broken(*_, **__):
        raise StoreError("/srv/somebody/live/market.duckdb cannot be read")

    def settled(*names):
        task = planned.queue.submit(names, asked_by="scheduler", work=broken)
        planned.scheduler._running[task.id] = names
        assert task.over.wait(60)
        planned.scheduler.settle(task)

    planned.environ["TTAPI_SERVE_KEEP_FRESH"] = "none"
    planned.scheduler.look()
    settled("raw.a", "raw.b", "raw.c", "raw.d", "raw.e")
    told = [planned.scheduler.document(is_local=one)["lines"] for one in (True, False)]
    assert told == [
        ["keeps nothing fresh", "raw.a, raw.b, raw.c and 2 more failed 1 time: /srv/somebody/live/market.duckdb cannot be read"],
        ["keeps nothing fresh", "raw.a, raw.b, raw.c and 2 more failed 1 time: the daemon's log tells why, under the task's id"],
    ]  # fmt: skip


CHAINS = """
class Chains(Keyed):
    name = "chains"
    resources = (
        Resource(
            name="snapshots", table="chains_snapshots", about="One row a snapshot.",
            columns=(
                Column("symbol", "VARCHAR", "upper case"),
                Column("snapshot", "VARCHAR", "symbol and instant"),
            ),
            grain=("snapshot",), keys=("symbol",), tracked="snapshot", requires=("symbol",),
            is_bound_only=True, ttl="5m", mode="merge",
        ),
    )

    def fetch(self, resource, requests, context):
        for request in requests:
            symbol = request.unit.key
            table = pa.table({
                "symbol": pa.array([symbol], pa.string()),
                "snapshot": pa.array([f"{symbol} {context.now:%m-%d %H:%M}"], pa.string()),
                "unit": pa.array([0], pa.int32()),
                "line": pa.array([None], pa.int32()),
                "known_at": pa.array([None], pa.timestamp("us")),
            })
            yield Batch((UnitReport(request.unit, None, 1, 1, 0),), table)


SOURCE = Chains
"""


@pytest.fixture
def chains(planned):
    """The same, whose source takes snapshots of chains; SPX closes a quarter of an hour after SPY."""
    text = (planned.lab.home.sources / "keyed.py").read_text()
    (planned.lab.home.sources / "keyed.py").unlink()
    (planned.lab.home.sources / "chains.py").write_text(text + CHAINS)
    planned.environ |= {
        "TTAPI_CHAINS_FOLDER": planned.environ["TTAPI_KEYED_FOLDER"],
        "TTAPI_SERVE_KEEP_FRESH": "none",
        "TTAPI_SERVE_CLOSING_CHAINS": "SPY,SPX",
    }
    return planned


def snapshots(planned):
    return [row[0] for row in planned.lab.rows("select snapshot from raw.chains_snapshots order by 1")]  # fmt: skip


def test_chains_are_taken_five_minutes_before_each_close_once(chains):
    chains.at("2024-06-17T19:50:00Z")
    assert chains.done() == ([], 300.0)
    chains.at("2024-06-17T19:55:00Z")
    assert chains.done() == ([("closing chains", "done")], 900.0)
    chains.at("2024-06-17T19:57:00Z")
    chains.seconds = 120.0
    assert chains.done() == ([], 780.0)
    chains.at("2024-06-17T20:10:00Z")
    chains.seconds = 900.0
    assert chains.done()[0] == [("closing chains", "done")]
    assert snapshots(chains) == ["SPX 06-17 20:10", "SPY 06-17 19:55"]
    # The day before Independence Day ends at 13:00 in New York, and index options at 13:15.
    chains.seconds = 9_000.0
    chains.at("2024-07-03T16:55:00Z")
    assert chains.done() == ([("closing chains", "done")], 900.0)
    chains.seconds = 9_900.0
    chains.at("2024-07-03T17:10:00Z")
    assert chains.done()[0] == [("closing chains", "done")]
    assert snapshots(chains)[1:] == ["SPX 07-03 17:10", "SPY 06-17 19:55", "SPY 07-03 16:55"]
    assert chains.scheduler.document()["next_closing_chains_at"] == "2024-07-05T19:55:00Z"


def test_symbols_of_closing_chains_are_taken_in_any_case_and_unknown_ones_told(chains):
    chains.environ["TTAPI_SERVE_CLOSING_CHAINS"] = "spy,SPX,zzz"
    environment = chains.database.load_environment()
    assert closing_chains(environment) == ClosingChains(("SPY", "SPX", "ZZZ"), ())
    unknown = {"raw.chains_snapshots": frozenset({"ZZZ", "OTHER"})}
    state = replace(environment.home_state, unavailable=unknown)
    told = "TTAPI_SERVE_CLOSING_CHAINS: chains does not know ZZZ"
    assert closing_chains(replace(environment, home_state=state)).wrong == (told,)


@pytest.mark.parametrize(
    ("underlying", "close"),
    [("SPY", "2024-07-03T17:00"), ("SPX", "2024-07-03T17:15"), ("OEX", "2024-07-03T17:15")],
)
def test_options_of_an_index_close_later(underlying, close):
    morning = datetime(2024, 7, 3, 14, tzinfo=UTC)
    assert options_close(underlying, morning) == datetime.fromisoformat(close).replace(tzinfo=UTC)


def test_the_schedule_is_told_over_rest_and_in_metrics(daemon):
    with daemon.client("analyst") as client:
        assert client.get(f"{API}/schedule").json() == {"text": "its scheduler is off"}
        lines = client.get("/metrics").text.splitlines()
    assert {"ttapi_scheduler_up 0", "ttapi_scheduler_failing 0"} <= {one.removesuffix(".0") for one in lines}  # fmt: skip


def row(due_in_s, verdict="fresh"):
    due_at = None if due_in_s is None else NOW + timedelta(seconds=due_in_s)
    return StatusRow("d", verdict, (), None, None, None, due_at)


@pytest.mark.parametrize(
    ("rows", "pause_s"),
    [
        ([], 900.0),
        ([row(None)], 900.0),
        ([row(100), row(50), row(70)], 50.0),
        ([row(5, "not configured"), row(80)], 80.0),
        ([row(-1e6), row(80)], 1.0),
        ([row(1e6)], 900.0),
    ],
)
def test_the_next_look_is_when_something_is_due(rows, pause_s):
    assert seconds_to_next(rows, NOW) == pause_s
