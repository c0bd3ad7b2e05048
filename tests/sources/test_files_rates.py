# SPDX-License-Identifier: Apache-2.0
"""Interest rates: a table of one's own through the source `files`, and the one that stands in for it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ttapi.errors import UsageError
from ttapi.sources.contract import SourceContext
from ttapi.sources.files import FilesSource
from ttapi.sources.files.rates import tenor_days
from ttapi.sources.rates import RatesSource
from ttapi.sources.testing import source_checks
from ttapi.sources.validation import check_declaration

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)


@pytest.fixture
def read_rates(tmp_path, fetched):
    def read(content, name="rates.csv", **fields):
        (tmp_path / name).write_text(content)
        settings = {f"rates_{field}": text for field, text in fields.items()}
        return fetched(FilesSource(), "rates", {"rates_path": str(tmp_path), **settings})

    return read


def test_rates_have_their_days_and_are_known_at_the_close(read_rates):
    found = read_rates(
        "date,tenor,rate\n2024-06-13,3M,0.0525\n20240614,365,0.05\n2024-06-13,0.5,0\n"
    )
    assert found.rows == [
        {
            "date": date(2024, 6, 13),
            "tenor_days": 91,
            "rate": 0.0525,
            "unit": "rates.csv",
            "line": 2,
            "known_at": datetime(2024, 6, 13, 20),
        },
        {
            "date": date(2024, 6, 14),
            "tenor_days": 365,
            "rate": 0.05,
            "unit": "rates.csv",
            "line": 3,
            "known_at": None,
        },
    ]
    assert found.refused == [(4, "tenor_days is no number of days, and no 3M or 1Y")]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("30", 30),
        ("90D", 90),
        ("2w", 14),
        ("1M", 30),
        ("1.5 Month", 46),
        ("6 Mo", 182),
        ("1Y", 365),
        ("10 Yr", 3650),
        ("0", None),
        ("-30", None),
        ("3Q", None),
        ("101Y", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_tenor_is_days_or_a_word_for_them(text, days):
    assert tenor_days(text) == days


@pytest.mark.parametrize("column", ["tenor_days", "days", "Tenor"])
def test_every_name_of_the_tenor_takes_both(read_rates, column):
    found = read_rates(f"date,{column},rate\n20240613,1Y,0.05\n20240613,30,-0.005\n")
    assert [(r["tenor_days"], r["rate"]) for r in found.rows] == [(365, 0.05), (30, -0.005)]


def test_a_mapped_tenor_takes_both_as_well(read_rates):
    found = read_rates("date,life,rate\n20240613,1Y,0.05\n", columns="tenor_days=life")
    assert found.column("tenor_days") == [365]


def test_bad_rates_are_refused(read_rates):
    found = read_rates(
        "date,days,rate\n,30,0.05\n20240613,,0.05\n20240613,30,\n20240613,30,5%\nx,30,0.05\n"
    )
    assert found.refused == [
        (2, "no date"),
        (3, "no tenor_days"),
        (4, "no rate"),
        (5, "no rate"),
        (6, "unparsable date"),
    ]


def test_of_a_file_in_percent_no_rate_is_taken(read_rates):
    found = read_rates("date,days,rate\n20210613,30,0.05\n20210613,3650,1.5\n")
    told = "rate above 1: fractions a year are wanted, 0.04 for 4 percent"
    assert (found.rows, found.refused) == ([], [(2, f"another row has a {told}"), (3, told)])


def constant(**settings):
    context = SourceContext(settings, NOW)
    source = RatesSource()
    (resource,) = source.resources
    (unit,) = source.survey(resource, context)
    return unit, context


@pytest.mark.parametrize(
    ("settings", "row"),
    [
        ({}, (0.04, True)),
        ({"constant": "0.04"}, (0.04, False)),
        ({"constant": "-0.005"}, (-0.005, False)),
        ({"constant": "1"}, (1.0, False)),
        ({"constant": "-1"}, (-1.0, False)),
    ],
)
def test_the_constant_says_whether_somebody_set_it(fetched, settings, row):
    found = fetched(RatesSource(), "constant_rate", settings)
    assert [(r["rate"], r["is_default"], r["known_at"]) for r in found.rows] == [(*row, None)]


def test_another_constant_shows_in_the_listing():
    stamps = {constant(**s)[0].mtime_ns for s in ({}, {"constant": "0.04"}, {"constant": "0.05"})}
    assert len(stamps) == 3


def test_a_constant_whose_hash_is_known_is_not_sent_again(fetched):
    first = fetched(RatesSource(), "constant_rate", {})
    again = fetched(RatesSource(), "constant_rate", {}, {"rates": first.report.content_hash})
    assert (again.report.is_unchanged, again.rows) == (True, [])
    other = fetched(RatesSource(), "constant_rate", {}, {"rates": "another"})
    assert (other.report.is_unchanged, len(other.rows)) == (False, 1)


@pytest.mark.parametrize("text", ["four", "4", "-1.01", "nan", "inf", "4%"])
def test_a_constant_that_is_no_rate_is_a_usage_error(text):
    with pytest.raises(UsageError, match=r"constant = .* is no rate"):
        constant(constant=text)


def test_declaration_is_sound():
    assert check_declaration(RatesSource()) == []


@pytest.mark.parametrize(
    "check", source_checks(RatesSource, settings={"constant": "0.03"}), ids=str
)
def test_the_constant_keeps_the_contract(check):
    check()
