# SPDX-License-Identifier: Apache-2.0
"""What a refresh asks, rebuilds and leaves alone, counted."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime

import pytest

BARS = [
    f"AAA,D,202406{day:02d},000000,10,11,9,{10 + day / 10},1000,0"
    for day in (3, 4, 5, 6, 7, 10, 11, 12, 13, 14)
]
MORE = "AAA,D,20240617,000000,10,11,9,12,1000,0"


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("AAA.csv", BARS)
    lab.refresh()
    return lab


@pytest.fixture
def loaded(once_made, tmp_path):
    lab = once_made.copied(tmp_path)
    lab.file = lab.metastock / "AAA.csv"
    return lab


def changed(outcome):
    return {d.dataset for d in outcome.datasets if d.is_changed}


def calls(outcome):
    return sum(d.source_calls for d in outcome.datasets)


def test_a_fresh_dataset_makes_no_call_and_changes_nothing(loaded):
    outcome = loaded.refresh()
    assert (calls(outcome), changed(outcome)) == (0, set())


def test_an_edited_file_is_seen_by_the_next_refresh(loaded):
    loaded.write_bars("AAA.csv", [*BARS[:-1], BARS[-1].replace(",11.4,", ",11.9,")])
    outcome = loaded.refresh("eod")
    assert (calls(outcome), changed(outcome)) == (1, {"raw.metastock_bars"})
    assert loaded.rows("select max_by(close, date) from eod") == [(11.9,)]


def test_an_identical_re_read_rebuilds_nothing_downstream(loaded):
    os.utime(loaded.file, (1, 1))
    outcome = loaded.refresh()
    assert (calls(outcome), changed(outcome)) == (1, set())


def test_other_bytes_that_say_the_same_rebuild_nothing_downstream(loaded):
    loaded.file.write_bytes(loaded.file.read_bytes().replace(b"\n", b"\r\n"))
    outcome = loaded.refresh()
    assert (calls(outcome), changed(outcome)) == (1, set())


def test_force_asks_again_and_is_still_incremental(loaded):
    outcome = loaded.refresh("eod", force=True)
    assert calls(outcome) == 1
    assert changed(outcome) == set()


def test_a_changed_sql_file_rebuilds_exactly_its_descendants(loaded):
    loaded.write_model(
        "derived/one.sql",
        "-- kind: table\nselect symbol, max(close) as top from staged.eod group by symbol",
    )
    loaded.write_model(
        "derived/two.sql", "-- kind: table\nselect symbol, top + 1 as more from derived.one"
    )
    loaded.write_model("derived/other.sql", "-- kind: table\nselect count(*) as n from staged.eod")
    loaded.refresh()
    loaded.write_model(
        "derived/one.sql",
        "-- kind: table\nselect symbol, min(close) as top from staged.eod group by symbol",
    )
    assert changed(loaded.refresh()) == {"derived.one", "derived.two"}
    loaded.write_model(
        "derived/one.sql",
        "-- kind: table\nselect symbol, min(close) as top from staged.eod group by symbol -- a remark",
    )
    assert changed(loaded.refresh()) == set()


def test_a_weekend_makes_nothing_stale_and_monday_evening_does(loaded):
    monday_noon = datetime(2024, 6, 17, 16, 0, tzinfo=UTC)
    monday_evening = datetime(2024, 6, 17, 21, 0, tzinfo=UTC)
    assert calls(loaded.refresh("eod", now=monday_noon, survey_local=False)) == 0
    loaded.write_bars("AAA.csv", [*BARS, MORE])
    assert calls(loaded.refresh("eod", now=monday_noon, survey_local=False)) == 0
    assert calls(loaded.refresh("eod", now=monday_evening, survey_local=False)) == 1


def test_a_tail_adds_only_its_rows(loaded):
    loaded.write_bars("AAA.csv", [*BARS, MORE])
    loaded.refresh(now=datetime(2024, 6, 17, 22, 0, tzinfo=UTC))
    assert loaded.rows(
        "select load_id, count(*) from raw.metastock_bars group by 1 order by 1"
    ) == [(2, 10), (3, 1)]


def test_a_correction_is_known_since_its_load_and_the_first_value_since_its_close(loaded):
    later = datetime(2024, 6, 18, 12, 0, tzinfo=UTC)
    loaded.write_bars("AAA.csv", [*BARS[:-1], BARS[-1].replace(",11.4,", ",11.9,")])
    loaded.refresh(now=later)
    rows = loaded.rows(
        "select close, known_at, replaced_at, is_current from raw.metastock_bars where date = '2024-06-14' order by known_at"
    )
    assert rows == [
        (11.4, datetime(2024, 6, 14, 20, 0), datetime(2024, 6, 18, 12, 0), False),
        (11.9, datetime(2024, 6, 18, 12, 0), None, True),
    ]


def test_decisions_and_checks_are_stored(loaded):
    rows = dict(
        loaded.rows(
            "select dataset, verdict from catalog.decisions where load_id = (select max(load_id) from catalog.decisions)"
        )
    )
    assert rows["raw.metastock_bars"] == "missing"
    assert rows["raw.corporate_actions"] == "not configured"
    assert ("checks.ledger_equals_data", 0) in loaded.rows(
        "select dataset, failures from catalog.checks"
    )
    assert loaded.rows("select verdict from freshness where dataset = 'eod'") == [("fresh",)]


def test_configured_relations_are_exported_after_a_change_and_a_failure_is_in_health(loaded):
    loaded.home.settings_file.write_text(
        "[export]\ndatasets = ['eod', 'no_such']\nformats = ['csv']\n"
    )
    loaded.write_bars("AAA.csv", [*BARS, MORE])
    outcome = loaded.refresh("eod", now=datetime(2024, 6, 17, 22, 0, tzinfo=UTC))
    assert [(e.relation, e.rows, e.error is None) for e in outcome.exports] == [
        ("eod", 11, True),
        ("no_such", None, False),
    ]
    assert len((loaded.home.exports / "eod.csv").read_text().splitlines()) == 12
    assert loaded.rows("select code, dataset from health where code = 'export failed'") == [
        ("export failed", "no_such")
    ]
    assert outcome.exit_code == 0


def test_snapshots_are_published_only_when_something_changed(loaded):
    generations = {loaded.refresh().generation for _ in range(3)}
    assert len(generations) == 1
    loaded.write_bars("AAA.csv", BARS[:-1])
    assert loaded.refresh().generation == generations.pop() + 1


def test_a_label_says_where_bars_come_from_and_a_new_one_is_taken_over(loaded):
    assert loaded.rows("select distinct source from eod") == [("metastock",)]
    loaded.environ["TTAPI_METASTOCK_LABEL"] = "synthetic"
    outcome = loaded.refresh("eod")
    assert next(d.reasons for d in outcome.datasets if d.dataset == "raw.metastock_bars") == (
        "settings changed",
    )
    assert loaded.rows("select distinct source from eod") == [("synthetic",)]


def test_a_forced_refresh_of_some_symbols_asks_their_files_alone(lab):
    for symbol in ("AAA", "BBB"):
        lab.write_bars(f"{symbol}.csv", [f"{symbol},D,20240612,000000,1,2,1,2,10,0"])
    lab.refresh()
    plan = json.loads(
        lab.ttapi(
            "refresh", "raw.metastock_bars", "--symbols", "AAA", "--force", "--plan", "--json"
        ).stdout
    )
    bars = [step["slice"] for step in plan if step["dataset"] == "raw.metastock_bars"]
    assert bars == ["AAA.csv"]
    done = json.loads(
        lab.ttapi("refresh", "raw.metastock_bars", "--symbols", "AAA", "--force", "--json").stdout
    )
    assert [
        d["source_calls"] for d in done["datasets"] if d["dataset"] == "raw.metastock_bars"
    ] == [1]


def test_an_interval_without_a_date_is_refused(lab):
    done = lab.ttapi("refresh", "--from", "2024-06-02", "--to", "2024-06-02")
    assert done.returncode == 2
    assert "--from 2024-06-02 to 2024-06-02 holds no date" in done.stderr


def test_a_query_reads_on_while_its_folder_is_gone_and_says_how_old_it_is(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    assert lab.ttapi("sql", "select count(*) from eod").returncode == 0
    lab.metastock.rename(lab.data / "elsewhere")
    later = {"TTAPI_NOW": "2024-06-18T22:00:00+00:00"}
    done = lab.ttapi("sql", "select close from eod where symbol = 'AAA'", **later)
    assert (done.returncode, done.stdout) == (0, "close\n2.0\n")
    assert "does not exist" in done.stderr
    much_later = {"TTAPI_NOW": "2024-07-18T22:00:00+00:00"}
    refused = lab.ttapi("sql", "select close from eod where symbol = 'AAA'", **much_later)
    assert refused.returncode == 4
    assert "raw.metastock_bars is" in refused.stderr
    assert lab.ttapi("refresh", "eod").returncode == 2


def test_what_a_failing_source_gave_before_is_loaded_in_part(lab):
    lab.home.sources.mkdir(exist_ok=True)
    (lab.home.sources / "crash.py").write_text(
        "import pyarrow as pa\n"
        "from ttapi.errors import SourceError\n"
        "from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport\n"
        "class Crash:\n"
        "    name = 'crash'\n    about = 'Ends in the middle.'\n    version = '1'\n"
        "    setting_names = ()\n    sql_folder = None\n"
        "    resources = (Resource('days', 'crash_days', 'Days.',"
        " (Column('city', 'VARCHAR', 'a name'),), ('city',), ttl='1d'),)\n"
        "    def missing_setting(self, resource, context): return None\n"
        "    def survey(self, resource, context): return [Unit('NYC'), Unit('LON')]\n"
        "    def fetch(self, resource, requests, context):\n"
        "        table = pa.table({'city': ['NYC'], 'unit': pa.array([0], pa.int32()),"
        " 'line': pa.array([None], pa.int32()), 'known_at': pa.array([None], pa.timestamp('us'))})\n"
        "        yield Batch((UnitReport(Unit('NYC'), 'h', 1, 1),), table)\n"
        "        raise SourceError('boom')\n"
    )
    done = lab.ttapi("sql", "select city from raw.crash_days")
    assert done.returncode == 1
    assert "raw.crash_days is loaded in part: boom" in done.stderr
    kept = lab.ttapi("sql", "--no-refresh", "select city from raw.crash_days")
    assert (kept.returncode, kept.stdout) == (0, "city\nNYC\n")
    assert "never loaded" not in kept.stderr


def test_a_few_calls_do_not_change_what_is_predicted_of_many(lab):
    for n in range(9):
        lab.write_bars(f"A{n}.csv", [(date(2024, 6, 12), 10, 11, 9, 10)])
    lab.refresh("raw.metastock_bars")
    first = lab.environment().home_state
    lab.write_bars("A0.csv", [(date(2024, 6, 13), 10, 11, 9, 10)])
    few = lab.refresh("raw.metastock_bars")
    after = lab.environment().home_state
    assert calls(few) == 1
    assert (after.calls, after.seconds) == (first.calls, first.seconds)
    for n in range(9):
        lab.write_bars(f"A{n}.csv", [(date(2024, 6, 13), 12, 13, 11, 12)])
    many = lab.refresh("raw.metastock_bars")
    assert lab.environment().home_state.seconds["raw.metastock_bars"] == round(
        many.datasets[0].seconds, 3
    )
