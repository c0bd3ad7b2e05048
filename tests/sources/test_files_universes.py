# SPDX-License-Identifier: Apache-2.0

"""The resource `universes` of the source `files`."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from ttapi.sources.files import FilesSource


@pytest.fixture
def read_universe(tmp_path, fetched):
    def read(content, name="tech.csv"):
        (tmp_path / name).write_text(content)
        return fetched(FilesSource(), "universes", {"universes_path": str(tmp_path)})

    return read


def test_universe_takes_its_name_from_the_file(read_universe):
    found = read_universe("symbol\naapl\nbrk/b\n\nMSFT\n")
    assert [
        (row["name"], row["symbol"], row["valid_from"], row["known_at"]) for row in found.rows
    ] == [
        ("tech", "AAPL", None, None),
        ("tech", "BRK.B", None, None),
        ("tech", "MSFT", None, None),
    ]


def test_universe_members_have_intervals(read_universe):
    found = read_universe(
        "name,symbol,valid_from,valid_to\n"
        "sp500,FB,2013-12-23,2022-06-09\n"
        "sp500,META,2022-06-09,\n"
        "sp500,X,2022-06-09,2022-06-09\n"
        "sp500,,2022-06-09,\n"
        "sp500,Y,soon,\n"
        ",Z,,\n"
    )
    assert [(row["symbol"], row["valid_to"], row["known_at"]) for row in found.rows] == [
        ("FB", date(2022, 6, 9), datetime(2013, 12, 23, 14, 30)),
        ("META", None, datetime(2022, 6, 9, 13, 30)),
    ]
    assert found.refused == [
        (4, "valid_to is not after valid_from"),
        (5, "no symbol"),
        (6, "unparsable valid_from"),
        (7, "no name"),
    ]
