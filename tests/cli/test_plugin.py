# SPDX-License-Identifier: Apache-2.0
"""A stranger's source as one file in the home: its raw table, refresh, rejects, and how it may fail."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

PLUGIN = """
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport


class Weather:
    name = "weather"
    about = "Temperatures, for the test."
    version = "1"
    setting_names = ("folder",)
    sql_folder = None
    resources = (
        Resource(
            name="days",
            table="weather_days",
            about="One temperature a day.",
            columns=(Column("city", "VARCHAR", "name"), Column("date", "DATE", "day"), Column("celsius", "DOUBLE", "degrees")),
            grain=("city", "date"),
            keys=("city",),
            time_column="date",
            ttl="1d",
            is_local=True,
        ),
    )

    def missing_setting(self, resource, context):
        return None if context.settings.get("folder") else "folder"

    def survey(self, resource, context):
        files = sorted(Path(context.settings["folder"]).glob("*.txt"))
        return [Unit(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]

    def fetch(self, resource, requests, context):
        for request in requests:
            lines = (Path(context.settings["folder"]) / request.unit.key).read_text().splitlines()
            good = [line.split() for line in lines if len(line.split()) == 3]
            bad = [(0, n, "not three words", line) for n, line in enumerate(lines, 1) if len(line.split()) != 3]
            if any(word == "explode" for row in good for word in row):
                raise RuntimeError("the vendor's format changed")
            rows = pa.table(
                {
                    "city": [r[0] for r in good],
                    "date": pa.array([datetime.fromisoformat(r[1]).date() for r in good], pa.date32()),
                    "celsius": [float(r[2]) for r in good],
                    "unit": pa.array([0] * len(good), pa.int32()),
                    "line": pa.array([None] * len(good), pa.int32()),
                    "known_at": pa.array([None] * len(good), pa.timestamp("us")),
                }
            )
            rejects = pa.table([pa.array([b[i] for b in bad], t) for i, t in enumerate([pa.int32(), pa.int32(), pa.string(), pa.string()])], ["unit", "line", "reason", "text"])
            yield Batch((UnitReport(request.unit, "h" + str(hash(tuple(lines))), len(lines), len(good), len(bad)),), rows, rejects)
"""


@pytest.fixture
def weather(lab):
    (lab.home.sources / "weather.py").write_text(PLUGIN)
    folder = lab.data / "weather"
    folder.mkdir()
    (folder / "a.txt").write_text("Oslo 2024-06-12 18.5\nOslo 2024-06-13 19.5\ngarbage\n")
    lab.environ["TTAPI_WEATHER_FOLDER"] = str(folder)
    return lab


def test_a_plugin_file_fills_its_own_raw_table(weather):
    done = weather.ttapi("refresh", "weather", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["datasets"]
    assert (row["dataset"], row["rows_in"], row["rows_accepted"], row["rows_refused"]) == (
        "raw.weather_days",
        3,
        2,
        1,
    )
    assert weather.rows(
        "select city, celsius from raw.weather_days where is_current order by date"
    ) == [("Oslo", 18.5), ("Oslo", 19.5)]
    assert weather.rows("select dataset, file, line, text from rejects") == [
        ("raw.weather_days", "a.txt", 3, "garbage")
    ]


def test_a_users_model_reads_a_plugins_table_and_sql_refreshes_it(weather):
    weather.write_model(
        "views/warmest.sql",
        "select city, max(celsius) as celsius from raw.weather_days where is_current group by city",
    )
    done = weather.ttapi("sql", "--format", "csv", "select * from warmest")
    assert (done.returncode, done.stdout) == (0, "city,celsius\nOslo,19.5\n"), done.stderr


def test_a_plugin_that_raises_fails_alone_and_keeps_its_old_rows(weather):
    weather.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,1000,0"])
    weather.ttapi("refresh", "weather")
    (weather.data / "weather" / "b.txt").write_text("Oslo 2024-06-14 explode\n")
    done = weather.ttapi("refresh", "weather", "eod")
    assert done.returncode == 1
    assert "the vendor's format changed" in done.stderr
    assert "Traceback" not in done.stderr
    assert weather.rows("select count(*) from raw.weather_days where is_current") == [(2,)]
    assert weather.rows("select symbol from eod") == [("AAA",)]


def test_changed_plugin_code_reads_everything_again_and_changes_nothing_downstream(weather):
    weather.ttapi("refresh", "weather")
    before = weather.rows("select version from catalog.state where dataset = 'raw.weather_days'")
    (weather.home.sources / "weather.py").write_text(PLUGIN + "# a remark\n")
    (row,) = json.loads(weather.ttapi("refresh", "weather", "--json").stdout)["datasets"]
    assert row["reasons"] == ["code changed"]
    assert row["source_calls"] == 1
    assert (
        weather.rows("select version from catalog.state where dataset = 'raw.weather_days'")
        == before
    )


def test_a_column_that_is_declared_with_another_type_leaves_the_rows_of_the_old_one(weather):
    weather.ttapi("refresh", "weather")
    (weather.home.sources / "weather.py").write_text(
        PLUGIN.replace('"celsius", "DOUBLE"', '"celsius", "VARCHAR"')
    )
    done = weather.ttapi("refresh", "weather")
    assert done.returncode in {1, 2}
    assert "celsius" in done.stderr
    # Its fetch still sends numbers, which is not what it declares.
    assert weather.rows("select count(*) from raw.weather_days") == [(0,)]
    assert weather.rows("select count(celsius) from raw.weather_days_v1") == [(2,)]


def test_as_of_before_its_columns_changed_the_table_of_then_is_read(weather):
    weather.ttapi("refresh", "weather")
    before = weather.now + timedelta(days=1)
    weather.now += timedelta(days=3)
    other = PLUGIN.replace("celsius", "kelvin").replace("float(r[2])", "float(r[2]) + 273")
    (weather.home.sources / "weather.py").write_text(other)
    assert weather.ttapi("refresh", "weather").returncode == 0
    query = (
        "select * exclude (date) from (select city, date, {} from raw.weather_days) order by date"
    )

    def asked(columns, *options):
        done = weather.ttapi("sql", "--format", "csv", query.format(columns), *options)
        return done.returncode, done.stdout, done.stderr

    code, out, err = asked("celsius, kelvin", "--as-of", before.isoformat())
    assert (code, out) == (0, "city,celsius,kelvin\nOslo,18.5,\nOslo,19.5,\n"), err
    assert "raw.weather_days_v1, with celsius as then declared, without kelvin: null" in err
    code, out, err = asked("kelvin", "--as-of", weather.now.isoformat())
    assert (code, out) == (0, "city,kelvin\nOslo,291.5\nOslo,292.5\n"), err
    assert "_v1" not in err
    code, _, err = asked("celsius", "--as-of", weather.now.isoformat())
    assert code == 1
    assert "celsius" in err


@pytest.mark.parametrize(
    ("said", "lie", "told"),
    [
        ("[float(r[2]) for r in good]", '["warm"] * len(good)', "declared DOUBLE and came as string"),
        ('"celsius": [float', '"celcius": [float', "rows has no column 'celsius'"),
        ("yield Batch(", "yield (", "fetch yielded a tuple, not a Batch"),
        ("in requests:", "in requests[1:]:", "nothing was reported of 1 of 1 units: a.txt"),
        ("yield Batch((UnitReport(request.unit,", "yield Batch((UnitReport(Unit('z'),", "unit 'z' is reported and was not asked for"),
        ('"DOUBLE", "degrees"', '"INTEGER", "degrees"', "declared INTEGER and came as double"),
    ],
    ids=["type", "column", "no batch", "no report", "other unit", "declaration"],
)  # fmt: skip
def test_a_plugin_that_lies_fails_alone_with_what_was_wrong(weather, said, lie, told):
    weather.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,1000,0"])
    assert said in PLUGIN
    (weather.home.sources / "weather.py").write_text(PLUGIN.replace(said, lie))
    done = weather.ttapi("refresh", "weather", "eod")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert weather.rows("select symbol from eod") == [("AAA",)]
    assert weather.rows("select count(*) from raw.weather_days") == [(0,)]
    assert done.returncode == 1
    validated = weather.ttapi("sources", "weather", "--validate")
    assert validated.returncode == 1
    assert "weather: declares what it should, and its last fetch failed" in validated.stdout
    assert "raw.weather_days: the last fetch failed: " in validated.stdout
    assert told in validated.stdout


def test_numbers_too_large_for_their_column_fail_the_dataset_alone(weather):
    text = PLUGIN.replace('"DOUBLE", "degrees"', '"INTEGER", "degrees"')
    text = text.replace("[float(r[2]) for r in good]", "pa.array([2**40] * len(good), pa.int64())")
    (weather.home.sources / "weather.py").write_text(text)
    done = weather.ttapi("refresh", "weather")
    assert done.returncode == 1
    assert "raw.weather_days: its rows cannot be stored: Conversion Error" in done.stderr
