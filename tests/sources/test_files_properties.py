# SPDX-License-Identifier: Apache-2.0
"""What holds of any file: contracts come back as they were written, and quotes around cells change nothing."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.calendar import expiration_session
from ttapi.sources.contract import Unit, UnitRequest
from ttapi.sources.files.kinds import SPECS
from ttapi.sources.files.load import load_file, read_csv_text
from ttapi.sources.files.source import FileSettings

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)
OPTIONS = next(spec for spec in SPECS if spec.resource.name == "option_quotes")


class OneFile:
    """A place with one file in it."""

    root = PurePosixPath("/data")

    def __init__(self, content):
        self.content = content

    def read(self, _unit):
        return self.content


def quotes_of(text, key="AAPL/20140602.csv"):
    tree = OneFile(gzip.compress(text.encode()) if key.endswith(".gz") else text.encode())
    settings = FileSettings(PurePosixPath("/data"), None, {}, None)
    batch = load_file(tree, UnitRequest(Unit(key)), OPTIONS, settings, NOW)
    assert batch.units[0].error is None
    assert batch.rejects is None
    return batch.rows.to_pylist()


contracts = st.tuples(
    st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2049, 12, 31)),
    st.sampled_from("CP"),
    st.integers(1, 99_999_999).map(lambda n: Decimal(n) / 1000),
)


def occ(contract):
    root, day, kind, strike = contract
    return f"{root:6}{day:%y%m%d}{kind}{int(strike * 1000):08d}"


@given(st.lists(contracts, min_size=1, max_size=8, unique=True), st.booleans())
def test_a_contract_comes_back_from_its_parts_and_from_its_symbol(found, is_packed):
    key = "AAPL/20140602.csv.gz" if is_packed else "AAPL/20140602.csv"
    columns = "\n".join(f"{r},{d:%Y%m%d},{s},{k}" for r, d, k, s in found)
    parts = quotes_of(f"root,expiry,strike,right\n{columns}\n", key)
    padded = quotes_of("\n".join(["occ_symbol", *map(occ, found)]) + "\n", key)
    bare = quotes_of(
        "\n".join(["occ_symbol", *(occ(one).replace(" ", "") for one in found)]) + "\n", key
    )
    assert parts == padded == bare
    assert [
        (r["contract"], r["contract_expiration_date"], r["option_type"], Decimal(str(r["strike"])))
        for r in parts
    ] == [(occ(one), *one[1:]) for one in found]
    assert [r["expiration_date"] for r in parts] == [expiration_session(one[1]) for one in found]


cells = st.text(
    st.characters(codec="utf-8", exclude_characters='"\r\n\0\x1a\ufeff,;\t|'), max_size=6
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(tables, st.data())
def test_quotes_around_cells_change_nothing(rows, data):
    header = ",".join(f"c{place}" for place in range(len(rows[0])))
    plain = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
    quoted = [
        ",".join(f'"{cell}"' for cell in row) if data.draw(st.booleans()) else ",".join(row)
        for row in rows
    ]
    found = read_csv_text(plain.encode(), ",")
    # A line of one blank cell is no line until it is quoted.
    if all(",".join(row).strip() for row in rows):
        other = read_csv_text("\n".join([header, *quoted, ""]).encode(), ",")
        assert found.cells.equals(other.cells)
        assert found.lines.equals(other.lines)
    assert found.refused == []
    kept = [row for row in rows if ",".join(row).strip()]
    assert found.cells.rows() == [tuple(row) for row in kept]
