# SPDX-License-Identifier: Apache-2.0

"""The source `files`: any CSV or Parquet file, mapped to a resource by settings."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from ttapi.errors import UsageError
from ttapi.sources.contract import SourceContext
from ttapi.sources.files import FilesSource
from ttapi.sources.files.kinds import SPECS
from ttapi.sources.validation import check_declaration

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)
HEADER = "last_cum_date,kind,new_shares_per_old,cash_usd\n"


@pytest.fixture
def read_actions(tmp_path, fetched):
    def read(content, name="AAPL.csv", **fields):
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        settings = {f"corporate_actions_{field}": text for field, text in fields.items()}
        return fetched(
            FilesSource(),
            "corporate_actions",
            {"corporate_actions_path": str(tmp_path), **settings},
        )

    return read


def test_declaration_is_sound():
    assert check_declaration(FilesSource()) == []


def test_every_resource_has_its_settings():
    assert len(FilesSource().setting_names) == 4 * len(SPECS)
    assert "corporate_actions_path" in FilesSource().setting_names


def test_actions_get_symbol_ex_date_and_instant(read_actions):
    found = read_actions(HEADER + "20140606,split,7,\n20140807,dividend,,0.47\n")
    assert found.rows == [
        {
            "symbol": "AAPL",
            "ex_date": date(2014, 6, 9),
            "last_cum_date": date(2014, 6, 6),
            "kind": "split",
            "ratio": 7.0,
            "cash": None,
            "unit": "AAPL.csv",
            "line": 2,
            "known_at": datetime(2014, 6, 9, 13, 30),
        },
        {
            "symbol": "AAPL",
            "ex_date": date(2014, 8, 8),
            "last_cum_date": date(2014, 8, 7),
            "kind": "dividend",
            "ratio": None,
            "cash": 0.47,
            "unit": "AAPL.csv",
            "line": 3,
            "known_at": datetime(2014, 8, 8, 13, 30),
        },
    ]
    report = found.report
    assert (report.first_date, report.last_date) == (date(2014, 6, 9), date(2014, 8, 8))


@pytest.mark.parametrize(
    ("last_cum", "ex"),
    [("20231222", "2023-12-26"), ("20240328", "2024-04-01"), ("20010910", "2001-09-17")],
)
def test_ex_date_is_the_next_session(read_actions, last_cum, ex):
    found = read_actions(HEADER + f"{last_cum},dividend,,1\n")
    assert [str(day) for day in found.column("ex_date")] == [ex]


def test_given_ex_date_and_symbol_stand(read_actions):
    found = read_actions(
        "symbol,ex_date,kind,ratio,cash\nbrk/b,2024-01-02,SPLIT,2,\n", name="all.csv"
    )
    assert [(row["symbol"], row["ex_date"], row["kind"]) for row in found.rows] == [
        ("BRK.B", date(2024, 1, 2), "split")
    ]


def test_announced_action_is_known_when_loaded(read_actions):
    found = read_actions(
        "ex_date,kind,cash\n20240614,dividend,1\n20240617,dividend,1\n99991231,dividend,1\n"
    )
    assert found.column("known_at") == [datetime(2024, 6, 14, 13, 30), None, None]


REFUSED = {
    "unknown kind": ("20240102,spinoff,,1", "kind is neither split nor dividend"),
    "no kind": ("20240102,,,1", "kind is neither split nor dividend"),
    "bad date": ("2024-13-45,dividend,,1", "unparsable last_cum_date"),
    "date 0": ("0,dividend,,1", "last_cum_date is 0"),
    "no date": (",dividend,,1", "neither ex_date nor last_cum_date"),
    "date before the calendar": ("19010102,dividend,,1", "no session is known after last_cum_date"),
    "split without ratio": ("20240102,split,,", "a split without a ratio above 0"),
    "split ratio 0": ("20240102,split,0,", "a split without a ratio above 0"),
    "split ratio negative": ("20240102,split,-2,", "a split without a ratio above 0"),
    "split ratio text": ("20240102,split,two,", "a split without a ratio above 0"),
    "split ratio nan": ("20240102,split,nan,", "a split without a ratio above 0"),
    "split ratio too large": ("20240102,split,1.1e9,", "a split ratio beyond 1e-09 to 1e+09"),
    "split ratio too small": ("20240102,split,9e-10,", "a split ratio beyond 1e-09 to 1e+09"),
    "split ratio 1e308": ("20240102,split,1e308,", "a split ratio beyond 1e-09 to 1e+09"),
    "dividend without cash": ("20240102,dividend,,", "a dividend without cash above 0"),
    "dividend cash 0": ("20240102,dividend,,0", "a dividend without cash above 0"),
    "dividend cash inf": ("20240102,dividend,,inf", "a dividend without cash above 0"),
    "short": ("20240102,dividend", "wrong field count: 2, not 4"),
    "long": ("20240102,dividend,,1,1", "wrong field count: 5, not 4"),
    "repeated header": (HEADER.strip(), "repeated header"),
}


@pytest.mark.parametrize(("line", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_action_is_refused_and_its_neighbours_stay(read_actions, line, reason):
    found = read_actions(HEADER + "20240102,dividend,,1\n" + line + "\n20240103,dividend,,2\n")
    assert found.rejects == [("AAPL.csv", 3, reason, line)]
    assert [(row["line"], row["cash"]) for row in found.rows] == [(2, 1.0), (4, 2.0)]


def test_the_largest_and_the_smallest_ratio_are_accepted(read_actions):
    found = read_actions(HEADER + "20240102,split,1e9,\n20240103,split,1e-9,\n")
    assert ([row["ratio"] for row in found.rows], found.rejects) == ([1e9, 1e-9], [])


def test_torn_last_line_is_refused(read_actions):
    assert read_actions(HEADER + "20240102,divid").refused == [(2, "torn last line")]


def test_two_dividends_of_one_day_both_count(read_actions):
    found = read_actions(HEADER + "20240102,dividend,,1\n20240102,dividend,,0.5\n")
    assert [row["cash"] for row in found.rows] == [1.0, 0.5]
    assert not found.report.has_duplicates
    (spec, *_) = SPECS
    assert spec.resource.grain == ("symbol", "ex_date", "kind", "cash")


def test_the_same_action_twice_is_a_duplicate(read_actions):
    found = read_actions(HEADER + "20240102,dividend,,1\n20240102,dividend,,1\n")
    assert found.report.has_duplicates


def test_renames_delimiter_and_format_are_settings(read_actions):
    found = read_actions(
        "Ex Day|Art|Bar\n20240102|dividend|0,5\n",
        name="AAPL.dat.txt",
        columns="ex_date=Ex Day, kind=ART, cash=bar",
        delimiter="|",
        format="csv",
    )
    assert [(row["symbol"], row["cash"]) for row in found.rows] == [("AAPL.DAT", 0.5)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "xls"}, "format = 'xls' is unknown"),
        ({"delimiter": "::"}, "delimiter = '::' is unknown"),
        ({"columns": "cash"}, "'cash' is no target=source"),
        ({"columns": "money=cash"}, "'money' is no column"),
    ],
)
def test_wrong_setting_is_a_usage_error(read_actions, fields, words):
    with pytest.raises(UsageError, match=words):
        read_actions(HEADER, **fields)


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        ("kind,cash\ndividend,1\n", "", "AAPL.csv: has no column ex_date or last_cum_date"),
        ("ex_date,cash\n20240102,1\n", "", "AAPL.csv: has no column kind"),
        ("ex_date,kind\n20240102,split\n", "ratio=factor", "has no column 'factor'"),
    ],
)
def test_lacking_column_fails_the_file(read_actions, content, columns, words):
    found = read_actions(content, columns=columns)
    assert words in (found.report.error or "")
    assert "its columns are" in (found.report.error or "")


def test_extra_columns_are_noted(read_actions):
    found = read_actions("ex_date,kind,cash,mood,mood\n20240102,dividend,1,good,bad\n")
    assert [note.split(":")[0] for note in found.report.notes] == [
        "duplicate_header",
        "unknown_column",
    ]


@pytest.mark.parametrize("content", ["", "\n", HEADER])
def test_file_without_rows_is_no_error(read_actions, content):
    report = read_actions(content).report
    assert (report.error, report.rows_in) == (None, 0)
    assert [note.split(":")[0] for note in report.notes] == ["no_rows"]


def test_parquet_reads_as_csv_does(read_actions, tmp_path):
    frame = pl.DataFrame(
        {
            "Symbol": ["A", "B", "C"],
            "ex_date": [date(2024, 1, 2), date(2024, 1, 3), None],
            "kind": ["dividend", "split", "split"],
            "ratio": [None, 2.5, 2.0],
            "cash": [0.1, None, None],
        }
    )
    frame.write_parquet(tmp_path / "all.parquet")
    found = read_actions(HEADER, name="none.csv", format="parquet")
    assert [(r["symbol"], r["ex_date"], r["ratio"], r["cash"], r["line"]) for r in found.rows] == [
        ("A", date(2024, 1, 2), None, 0.1, 1),
        ("B", date(2024, 1, 3), 2.5, None, 2),
    ]
    assert found.refused == [(3, "neither ex_date nor last_cum_date")]


def test_broken_parquet_fails_the_file(read_actions):
    found = read_actions("no parquet", name="a.parquet")
    assert "a.parquet: not a readable Parquet file" in (found.report.error or "")


def test_path_may_be_a_file_or_a_glob(tmp_path, fetched):
    for name in ("A.csv", "B.csv", "C[1].csv"):
        (tmp_path / name).write_text(HEADER + "20240102,dividend,,1\n")
    reached = {
        path: list(
            fetched(
                FilesSource(), "corporate_actions", {"corporate_actions_path": str(tmp_path / path)}
            ).reports
        )
        for path in ("A.csv", "C[1].csv", "[AB].csv", "*.csv")
    }
    assert reached == {
        "A.csv": ["A.csv"],
        "C[1].csv": ["C[1].csv"],
        "[AB].csv": ["A.csv", "B.csv"],
        "*.csv": ["A.csv", "B.csv", "C[1].csv"],
    }


@pytest.mark.parametrize("path", ["none", "none/*.csv"])
def test_missing_path_is_a_usage_error(tmp_path, path):
    source = FilesSource()
    context = SourceContext({"corporate_actions_path": str(tmp_path / path)}, NOW)
    with pytest.raises(UsageError, match="does not exist"):
        source.survey(source.resources[0], context)


def test_path_is_the_missing_setting():
    source = FilesSource()
    missing = [source.missing_setting(item, SourceContext({}, NOW)) for item in source.resources]
    assert missing == [f"{item.name}_path" for item in source.resources]


def test_known_content_is_unchanged_until_the_mapping_changes(tmp_path, fetched):
    (tmp_path / "A.csv").write_text("ex_date,kind,cash,net\n20240102,dividend,1,0.8\n")
    settings = {"corporate_actions_path": str(tmp_path)}
    first = fetched(FilesSource(), "corporate_actions", settings)
    known = {"A.csv": first.report.content_hash}
    again = fetched(FilesSource(), "corporate_actions", settings, known)
    mapped = settings | {"corporate_actions_columns": "cash=net"}
    other = fetched(FilesSource(), "corporate_actions", mapped, known)
    assert (again.report.is_unchanged, other.report.is_unchanged) == (True, False)
    assert other.column("cash") == [0.8]


def test_every_real_action_is_read(real_data, fetched):
    path = str(real_data / "corporate_actions")
    found = fetched(FilesSource(), "corporate_actions", {"corporate_actions_path": path})
    assert found.rejects == []
    assert {key: report.rows_accepted for key, report in found.reports.items()} == {
        "AAPL.csv": 39,
        "AIG.csv": 79,
        "IBM.csv": 94,
        "IWM.csv": 87,
        "SPY.csv": 94,
    }
    splits = [
        (row["symbol"], str(row["ex_date"]), row["ratio"])
        for row in found.rows
        if row["kind"] == "split" and row["symbol"] == "AAPL"
    ]
    assert splits == [
        ("AAPL", "2000-06-21", 2.0),
        ("AAPL", "2005-02-28", 2.0),
        ("AAPL", "2014-06-09", 7.0),
        ("AAPL", "2020-08-31", 4.0),
    ]
