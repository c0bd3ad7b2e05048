# SPDX-License-Identifier: Apache-2.0
"""The command line as a user runs it: what goes where, JSON shapes, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

BARS = [
    "AAA,D,20240611,000000,10,11,9,10,1000,0",
    "AAA,D,20240612,000000,10,11,9,10.5,1000,0",
    "AAA,D,20240613,000000,10,11,9,10.2,1000,0",
]


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("AAA.csv", BARS)
    lab.refresh()
    return lab


@pytest.fixture
def loaded(once_made, tmp_path):
    return once_made.copied(tmp_path)


def test_a_query_on_stale_data_refreshes_first_and_again_makes_no_call(lab):
    lab.write_bars("AAA.csv", BARS)
    first = lab.ttapi("sql", "-c", "select close from eod order by date", "--format", "csv")
    assert (first.returncode, first.stdout) == (0, "close\n10.0\n10.5\n10.2\n")
    assert "-- fetched 1 slice," in first.stderr
    again = lab.ttapi("sql", "-c", "select close from eod order by date", "--format", "csv")
    assert again.stdout == first.stdout
    assert "-- 0 calls" in again.stderr
    assert "raw.metastock_bars" in again.stderr


def test_no_refresh_answers_from_what_is_there(lab):
    lab.write_bars("AAA.csv", BARS)
    done = lab.ttapi("sql", "--no-refresh", "select count(*) as n from eod", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"n": 0}])


def test_an_input_that_nothing_fills_is_named(lab):
    del lab.environ["TTAPI_METASTOCK_PATH"]
    done = lab.ttapi("sql", "select * from eod_adjusted")
    assert done.returncode == 0
    assert (
        "not configured, so empty: raw.corporate_actions ([sources.files] corporate_actions_path)"
        in done.stderr
    )
    assert "raw.metastock_bars, raw.price_basis ([sources.metastock] path)" in done.stderr


def test_refresh_json_has_the_agreed_shape(lab):
    lab.write_bars("AAA.csv", [*BARS, "AAA,D,20240230,000000,1,1,1,1,1,0"])
    done = lab.ttapi("refresh", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert set(document) == {"load_id", "generation", "datasets"}
    bars = next(d for d in document["datasets"] if d["dataset"] == "raw.metastock_bars")
    assert set(bars) == {
        "dataset", "verdict", "reasons", "rows_in", "rows_accepted", "rows_refused", "source_calls", "slices_held", "seconds", "error",
    }  # fmt: skip
    assert (bars["verdict"], bars["rows_in"], bars["rows_accepted"], bars["rows_refused"]) == (
        "missing",
        4,
        3,
        1,
    )
    assert bars["error"] is None
    assert "1 refused" in done.stderr


def test_refresh_again_makes_no_call_and_publishes_nothing(loaded):
    before = json.loads(loaded.ttapi("refresh", "--json").stdout)
    again = json.loads(loaded.ttapi("refresh", "--json").stdout)
    assert again["generation"] == before["generation"]
    assert {d["source_calls"] for d in again["datasets"]} == {0}
    assert {d["verdict"] for d in again["datasets"]} <= {"fresh", "not configured"}


def test_plan_names_the_touched_file_and_only_its_descendants(loaded):
    loaded.write_bars("AAA.csv", [*BARS, "AAA,D,20240614,000000,10,11,9,10.2,1000,0"])
    plan = json.loads(loaded.ttapi("refresh", "--plan", "--json").stdout)
    assert all(set(row) == {"dataset", "slice", "reasons", "calls"} for row in plan)
    assert [(r["slice"], r["calls"]) for r in plan if r["dataset"] == "raw.metastock_bars"] == [
        ("AAA.csv", 1)
    ]
    planned = {r["dataset"] for r in plan}
    assert "derived.volatility_latest" in planned
    assert not planned & {"derived.calendar", "derived.expiration_series", "raw.calendar_days"}
    assert loaded.rows("select count(*) from eod") == [(3,)]


def test_status_json_has_the_agreed_shape_and_opens_no_database(loaded):
    rows = json.loads(loaded.ttapi("status", "--json").stdout)
    assert all(
        set(r) == {"dataset", "verdict", "reasons", "age_s", "ttl_s", "last_load_at", "due_at"}
        for r in rows
    )
    by_name = {r["dataset"]: r for r in rows}
    assert by_name["raw.metastock_bars"]["verdict"] == "fresh"
    assert by_name["raw.metastock_bars"]["due_at"] == "2024-06-17T20:45:00Z"
    assert by_name["raw.corporate_actions"]["verdict"] == "not configured"
    assert by_name["eod"]["age_s"] == 0.0
    one = json.loads(loaded.ttapi("datasets", "eod", "--json").stdout)
    assert [r["dataset"] for r in one] == ["eod"]


def test_status_answers_while_another_process_owns_the_file(loaded):
    from ttapi.store.lock import acquire

    with acquire(loaded.home, command="test", wait_s=0):
        assert loaded.ttapi("status").returncode == 0


def test_a_locked_file_is_exit_5_with_the_owner(loaded):
    from ttapi.store.lock import acquire

    with acquire(loaded.home, command="the test", wait_s=0):
        done = loaded.ttapi("refresh", "--wait", "0.2")
    assert done.returncode == 5
    assert str(os.getpid()) in done.stderr
    assert "the test" in done.stderr


def test_a_locked_file_lets_sql_answer_from_a_recent_snapshot(loaded):
    from ttapi.store.lock import acquire

    with acquire(loaded.home, command="the test", wait_s=0):
        recent = loaded.ttapi(
            "sql",
            "select count(*) as n from eod",
            "--wait",
            "0.1",
            "--format",
            "json",
            TTAPI_NOW="2024-06-18T23:00:00Z",
        )
        old = loaded.ttapi(
            "sql",
            "select count(*) as n from eod",
            "--wait",
            "0.1",
            "--format",
            "json",
            TTAPI_NOW="2024-07-18T23:00:00Z",
        )
    assert (recent.returncode, json.loads(recent.stdout)) == (0, [{"n": 3}])
    assert "answered from the published snapshot" in recent.stderr
    assert (old.returncode, old.stdout) == (5, "")


def test_max_age_refuses_older_data(loaded):
    done = loaded.ttapi(
        "sql",
        "select 1 from eod",
        "--no-refresh",
        "--max-age",
        "1h",
        TTAPI_NOW="2024-06-15T12:00:00Z",
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "more than --max-age" in done.stderr


def test_a_refresh_above_the_budget_is_exit_4_without_yes(loaded):
    loaded.home.settings_file.write_text("[refresh]\nmax_seconds = 0\n")
    from ttapi.refresh.home_state import read_home_state, write_home_state

    state = read_home_state(loaded.home)
    write_home_state(
        loaded.home,
        type(state)(
            state.fingerprint,
            state.generation,
            state.datasets,
            state.states,
            {"raw.metastock_bars": 9.0},
        ),
    )
    later = "2024-06-18T23:00:00Z"
    done = loaded.ttapi("sql", "select count(*) from eod", TTAPI_NOW=later)
    assert done.returncode == 4
    assert "0 source calls and take about 9 s" in done.stderr
    assert loaded.ttapi("sql", "--yes", "select count(*) from eod", TTAPI_NOW=later).returncode == 0


def test_sql_from_file_and_standard_input(loaded, tmp_path):
    script = tmp_path / "q.sql"
    script.write_text("select 1 as a;\nselect 2 as b;\n")
    assert loaded.ttapi("sql", "-f", script, "--format", "csv").stdout == "a\n1\nb\n2\n"
    assert loaded.ttapi("sql", "--format", "csv", stdin="select 3 as c").stdout == "c\n3\n"


def test_every_log_line_is_json_with_the_run_id(loaded):
    loaded.ttapi("refresh")
    lines = [json.loads(line) for line in (loaded.home.logs / "ttapi.log").read_text().splitlines()]
    assert lines
    assert all(line["run_id"] and line["ts"] and line["level"] and line["event"] for line in lines)


def test_sources_lists_the_bundled_ones_and_a_broken_one(loaded):
    (loaded.home.sources / "broken.py").write_text("raise RuntimeError('no such vendor')\n")
    rows = json.loads(loaded.ttapi("sources", "--json").stdout)
    by_name = {r["name"]: r for r in rows}
    assert {"calendar", "files", "metastock"} <= set(by_name)
    assert "no such vendor" in by_name["broken"]["error"]
    assert loaded.ttapi("refresh").returncode == 0


def test_help_names_the_exit_codes_and_version_prints(lab):
    done = lab.ttapi("--help")
    assert done.returncode == 0
    assert "Exit codes: 0 ok" in done.stdout.replace("\n", " ").replace("  ", " ")
    assert lab.ttapi("--version").stdout.startswith("ttapi 0.")


def test_a_first_init_brings_neither_parser_nor_pandas(tmp_path):
    """What looking through the models of ttapi told is shipped: a home is made without looking again."""
    code = (
        "import sys; from ttapi.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit as left: code = left.code\n"
        "print(code, sorted({'sqlglot', 'pandas', 'typer'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(tmp_path / "home"), "init"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0 []"


def test_import_is_cheap():
    import subprocess
    import sys

    code = "import ttapi, sys; print([m for m in ('duckdb','polars','pyarrow','sqlglot','typer','rich') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_public_names_are_what_all_says():
    import ttapi

    assert ttapi.__all__ == sorted(ttapi.__all__)
    assert all(getattr(ttapi, name) is not None for name in ttapi.__all__)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["status"], (None, None, False, False)),
        (["datasets", "eod", "--json"], (None, "eod", True, False)),
        (["--home", "x", "status", "--json"], ("x", None, True, False)),
        (["status", "--help"], None),
        (["status", "a", "b"], None),
        (["status", "--jsn"], None),
        (["--home"], None),
        (["refresh"], None),
        ([], None),
    ],
)
def test_plain_status_is_read_without_typer_and_nothing_else_is(arguments, expected):
    from ttapi.cli.plain import plain_status

    found = plain_status(arguments)
    assert (found and (found[0] and str(found[0]), *found[1:])) == expected


@pytest.mark.parametrize("names", [(), ("eod",), ("nothing",)])
def test_a_refresh_says_the_same_with_typer_and_without(loaded, names):
    plain, unusual = (loaded.ttapi("refresh", *names, *more) for more in ((), ("--wait", "60")))
    assert (plain.returncode, plain.stdout, plain.stderr) == (
        unusual.returncode,
        unusual.stdout,
        unusual.stderr,
    )


def test_an_unusual_status_goes_through_typer(loaded):
    assert loaded.ttapi("status", "--jsn").returncode == 2
    assert "Usage" in loaded.ttapi("status", "--help").stdout


def test_max_age_asks_again_before_it_refuses(loaded):
    later = "2024-06-15T12:00:00Z"
    done = loaded.ttapi(
        "sql",
        "select count(*) as n from eod",
        "--max-age",
        "1h",
        "--format",
        "csv",
        TTAPI_NOW=later,
    )
    assert (done.returncode, done.stdout) == (0, "n\n3\n"), done.stderr


def test_a_forced_plan_names_every_unit(loaded):
    rows = json.loads(loaded.ttapi("refresh", "eod", "--force", "--plan", "--json").stdout)
    assert [(r["slice"], r["calls"]) for r in rows if r["dataset"] == "raw.metastock_bars"] == [
        ("AAA.csv", 1)
    ]


def test_a_passed_ttl_over_an_unchanged_folder_plans_no_rebuild(loaded):
    rows = json.loads(
        loaded.ttapi("refresh", "eod", "--plan", "--json", TTAPI_NOW="2024-06-18T23:00:00Z").stdout
    )
    assert {r["dataset"] for r in rows} == {"raw.metastock_bars"}
    assert {r["calls"] for r in rows} == {0}


def test_a_check_that_failed_is_asked_in_full_until_it_passes_and_forgotten_with_its_file(loaded):
    loaded.write_bars("BBB.csv", [row.replace("AAA", "BBB") for row in BARS])
    model = "-- check: range(close, 0, 10.4)\nselect symbol, date, close from eod"
    file = loaded.write_model("views/low.sql", "-- grain: symbol, date\n" + model)
    loaded.refresh()
    found = "select failures from catalog.checks where dataset = 'low'"
    assert loaded.rows(found) == [(2,)]  # a new check looks at everything
    loaded.write_bars(
        "BBB.csv", [row.replace("AAA", "BBB").replace("10.5", "10.1") for row in BARS]
    )
    loaded.refresh()
    assert loaded.rows(found) == [(1,)]  # AAA still fails, though only BBB changed
    file.unlink()
    loaded.refresh()
    assert loaded.rows("select count(*) from health where code = 'check failed'") == [(0,)]


def test_an_interrupt_inside_a_query_is_130(loaded):
    import signal
    import subprocess
    import sys

    variables = {
        **os.environ,
        "TTAPI_HOME": str(loaded.home.root),
        "TTAPI_NOW": loaded.now.isoformat(),
        **loaded.environ,
    }
    slow = (
        "select count(*) from range(100000000) a, range(1000000) b where a.range * b.range % 7 = 3"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "sql", slow],
        env=variables,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stderr.readline().startswith("-- 0 calls")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=600)
    assert child.returncode == 130, err
    assert "ttapi: interrupted" in err
    assert "Traceback" not in err


def test_one_json_array_holds_one_answer_and_every_column(loaded):
    done = loaded.ttapi(
        "sql",
        "create temp table t as select 1; select 3 as b, 4 as b from t",
        "--format",
        "json",
    )
    assert json.loads(done.stdout) == [{"b": 3, "b_1": 4}]
    big = loaded.ttapi(
        "sql",
        "select 170141183460469231731687303715884105727::hugeint as x, 'infinity'::date as d",
        "--format",
        "json",
    )
    assert json.loads(big.stdout) == [
        {"x": 170141183460469231731687303715884105727, "d": "infinity"}
    ]
