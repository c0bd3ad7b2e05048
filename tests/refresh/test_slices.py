# SPDX-License-Identifier: Apache-2.0
"""What a query refreshes, counted at the source: the slices that matter, once, and then the difference."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


SYMBOLS = ("AAA", "BBB", "CCC")
DAYS = ("2024-06-10", "2024-06-11", "2024-06-12", "2024-06-13", "2024-06-14")


@pytest.fixture
def keyed(lab):
    """A source asked by symbol, its world five sessions of three symbols."""
    shutil.copy(ROOT / "fixtures" / "plugins" / "keyed.py", lab.home.sources)
    folder = lab.data / "keyed"
    folder.mkdir()
    rows = [f"{s},{d},{i}" for s in SYMBOLS for i, d in enumerate(DAYS)]
    (folder / "levels.csv").write_text("symbol,date,level\n" + "\n".join(rows) + "\n")
    lab.environ["TTAPI_KEYED_FOLDER"] = str(folder)
    lab.write_model(
        "views/levels.sql",
        "-- about: Levels.\nselect k.symbol::varchar as symbol, k.date::date as date, k.level::double as level\n"
        "from raw.keyed_levels as k where k.is_current\n",
    )
    return lab


def asked(lab):
    """The requests since the last look."""
    log = lab.data / "keyed" / "requests.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line.rstrip() for line in lines]


def query(lab, sql, *options, **environ):
    done = lab.ttapi("sql", "--format", "csv", *options, sql, **environ)
    return done, done.stdout.splitlines()[1:]


def test_one_symbol_is_one_slice_then_none_then_the_difference(keyed):
    done, rows = query(keyed, "select count(*) from levels where symbol = 'AAA'")
    assert (done.returncode, rows, asked(keyed)) == (0, ["5"], ["AAA"]), done.stderr
    done, rows = query(keyed, "select max(level) from levels where symbol = 'AAA'")
    assert (rows, asked(keyed)) == (["4.0"], [])
    assert "0 calls" in done.stderr
    done, rows = query(keyed, "select count(*) from levels where symbol in ('AAA', 'BBB')")
    assert (rows, asked(keyed)) == (["10"], ["BBB"])


def test_an_interval_is_asked_once_and_widened_by_the_difference(keyed):
    sql = "select count(*) from levels where symbol = 'AAA' and date between '{}' and '{}'"
    _, rows = query(keyed, sql.format("2024-06-11", "2024-06-12"))
    assert (rows, asked(keyed)) == (["2"], ["AAA 2024-06-11 2024-06-13"])
    query(keyed, sql.format("2024-06-12", "2024-06-12"))
    assert asked(keyed) == []
    _, rows = query(keyed, sql.format("2024-06-10", "2024-06-13"))
    assert (rows, asked(keyed)) == (
        ["4"],
        ["AAA 2024-06-10 2024-06-11", "AAA 2024-06-13 2024-06-14"],
    )


def test_an_empty_answer_is_remembered(keyed):
    for expected in (["ZZZ"], []):
        _, rows = query(keyed, "select count(*) from levels where symbol = 'ZZZ'")
        assert (rows, asked(keyed)) == (["0"], expected)


def test_a_day_without_a_session_is_never_asked_for(keyed):
    done, rows = query(
        keyed,
        "select * from levels where symbol = 'AAA' and date in ('2024-06-08', '2024-06-09')",
    )
    assert (done.returncode, rows, asked(keyed)) == (0, [], [])


def test_a_join_on_the_key_carries_the_limit_and_another_join_does_not(keyed):
    query(
        keyed,
        "select * from levels as a join levels as b using (symbol) where a.symbol = 'AAA'",
    )
    assert asked(keyed) == ["AAA"]
    done, _ = query(
        keyed,
        "select * from levels as a join levels as b using (date) where a.symbol = 'BBB'",
        TTAPI_UNIVERSE_DEFAULT="BBB,CCC",
    )
    assert done.returncode == 0, done.stderr
    assert asked(keyed) == ["BBB", "CCC"]


def test_an_unbound_query_takes_the_universe_or_says_what_is_missing(keyed):
    done, _ = query(keyed, "select * from levels")
    assert done.returncode == 2
    assert "symbol" in done.stderr
    assert "[universe] default" in done.stderr
    assert asked(keyed) == []
    _, rows = query(keyed, "select * from levels", TTAPI_UNIVERSE_DEFAULT="AAA, CCC")
    assert (len(rows), asked(keyed)) == (10, ["AAA", "CCC"])


def test_the_tail_alone_is_asked_again_after_the_next_close(keyed):
    query(keyed, "select * from levels where symbol = 'AAA'")
    assert asked(keyed) == ["AAA"]
    keyed.now += timedelta(days=2)
    query(keyed, "select * from levels where symbol = 'AAA'")
    assert asked(keyed) == []
    keyed.now += timedelta(days=1, hours=2)
    query(keyed, "select * from levels where symbol = 'AAA'")
    assert asked(keyed) == ["AAA 2024-06-14"]


def test_a_slice_that_fails_leaves_the_others_and_all_failing_is_an_error(keyed):
    folder = keyed.data / "keyed"
    (folder / "refuse-BBB").touch()
    done = keyed.ttapi("refresh", "keyed", "--symbols", "AAA,BBB,CCC", "--json")
    (row,) = [d for d in json.loads(done.stdout)["datasets"] if d["dataset"] == "raw.keyed_levels"]
    assert (done.returncode, row["source_calls"], row["rows_accepted"]) == (1, 3, 10)
    assert "BBB is not entitled" in row["error"]
    asked(keyed)
    done = keyed.ttapi("refresh", "keyed", "--symbols", "AAA,BBB,CCC")
    assert (done.returncode, asked(keyed)) == (1, ["BBB"])
    assert done.stderr.count("BBB: BBB is not entitled") == 1


def test_stale_data_is_served_while_its_source_is_down_and_then_refused(keyed):
    query(keyed, "select * from levels where symbol = 'AAA'")
    (keyed.data / "keyed" / "down").touch()
    keyed.now += timedelta(days=3, hours=2)
    done, rows = query(keyed, "select * from levels where symbol = 'AAA'")
    assert (done.returncode, len(rows)) == (0, 5), done.stderr
    assert "does not answer" in done.stderr
    keyed.now += timedelta(days=3)
    done, rows = query(keyed, "select * from levels where symbol = 'AAA'")
    assert (done.returncode, rows) == (4, [])
    assert "ttapi refresh raw.keyed_levels" in done.stderr


def test_changed_code_asks_every_slice_again(keyed):
    query(keyed, "select * from levels where symbol in ('AAA', 'BBB')")
    asked(keyed)
    file = keyed.home.sources / "keyed.py"
    file.write_text(file.read_text() + "# a remark\n")
    query(keyed, "select * from levels where symbol = 'AAA'")
    assert asked(keyed) == ["AAA"]


def test_a_file_per_symbol_is_read_for_its_symbol_alone(lab):
    days = [f"{{0}},D,{d.replace('-', '')},000000,10,11,9,10,1000,0" for d in DAYS]
    for symbol in SYMBOLS:
        lab.write_bars(f"{symbol}.csv", [day.format(symbol) for day in days])
    lab.write_bars("mixed.csv", ["BBB,D,20240607,000000,10,11,9,10,1000,0"])
    for sql, rows, slices in (
        ("select count(*) from eod where symbol = 'AAA'", ["5"], 1),
        ("select count(*) from eod where symbol = 'AAA'", ["5"], 0),
        ("select count(*) from eod where symbol in ('AAA', 'BBB')", ["11"], 2),
        ("select count(*) from eod", ["16"], 1),
        ("select count(*) from eod", ["16"], 0),
    ):
        done, found = query(lab, sql)
        told = f"fetched {slices} slice" if slices else "0 calls"
        assert (found, told in done.stderr) == (rows, True), (sql, done.stderr)
