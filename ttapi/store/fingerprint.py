# SPDX-License-Identifier: Apache-2.0
"""What a database file holds, proved by reading it: rows and a hash of the content of every table.

Reading every column of every table makes the engine compare each block with its checksum, so a
fingerprint is also the proof that nothing in the file has rotted.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ttapi.errors import StoreError, TtapiError
from ttapi.store.engine import Connection, connect_snapshot, engine_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_BLOCKS_AT = 3 * 4096
"""Where the first block of a DuckDB file begins: after the main header and two database headers."""


@dataclass(frozen=True)
class TableFacts:
    """One table's content."""

    rows: int
    fingerprint: str
    """Hexadecimal; the same for the same rows in any order, under one version of the engine."""


@dataclass(frozen=True)
class Contents:
    """Everything a file holds."""

    tables: Mapping[str, TableFacts]
    """By `schema.table`; those that could be read to the end."""
    unreadable: Mapping[str, str]
    """What the engine said of the others."""

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(facts.rows for facts in self.tables.values())


def engine_version() -> str:
    """The version of DuckDB that runs here."""
    return duckdb.__version__


def read_contents(file: Path) -> Contents:
    """Every table of `file`, read whole; the file is opened read-only.

    *Raises* StoreError when the file as a whole cannot be opened.
    """
    with closing(connect_snapshot(file)) as connection:
        names = _tables(connection, file)
    tables: dict[str, TableFacts] = {}
    unreadable: dict[str, str] = {}
    connection = connect_snapshot(file)
    try:
        for name, columns in names.items():
            try:
                with engine_errors(file):
                    tables[name] = _facts(connection, name, columns)
            except TtapiError as exc:
                unreadable[name] = exc.message
                # A checksum that fails may end the engine's instance; the next table gets a new one.
                connection.close()
                connection = connect_snapshot(file)
    finally:
        connection.close()
    return Contents(tables, unreadable)


def read_whole(file: Path) -> Contents:
    """The content of `file`, every table of it. *Raises* StoreError naming one that cannot be read."""
    contents = read_contents(file)
    for table, said in contents.unreadable.items():
        raise StoreError(f"{file}: table {table} cannot be read: {said}")
    return contents


def missing_bytes(file: Path) -> int:
    """How many bytes `file` lacks at least: of a block begun, or of the blocks in use. *Raises* StoreError.

    Free blocks count for nothing: a checkpoint cuts them off the end, and the count of all blocks
    still holds them.
    """
    with closing(connect_snapshot(file)) as connection, engine_errors(file):
        row = connection.execute("pragma database_size").fetchall()[0]
    block_size, blocks = int(row[2]), int(row[4])
    size = file.stat().st_size
    begun = (size - _BLOCKS_AT) % block_size
    lacking = _BLOCKS_AT + block_size * blocks - size
    return max(0, lacking, block_size - begun if begun else 0)


def differences(wanted: Contents, found: Contents, *, has_same_engine: bool = True) -> list[str]:
    """What tells `found` from `wanted`, a line a table; hashes count under one engine only."""
    lines = [f"table {name} is missing" for name in sorted(set(wanted.tables) - set(found.tables))]
    lines += [
        f"table {name} is one too many" for name in sorted(set(found.tables) - set(wanted.tables))
    ]
    for name in sorted(set(wanted.tables) & set(found.tables)):
        one, other = wanted.tables[name], found.tables[name]
        if one.rows != other.rows:
            lines.append(f"table {name} has {other.rows:,} rows, not {one.rows:,}")
        elif has_same_engine and one.fingerprint != other.fingerprint:
            lines.append(f"table {name} has other content in its {one.rows:,} rows")
    return lines


def _tables(connection: Connection, file: Path) -> dict[str, Sequence[str]]:
    with engine_errors(file):
        rows = connection.execute(
            "select schema_name || '.' || table_name, list(column_name order by column_index)"
            " from duckdb_columns() where not internal and database_name = current_database()"
            " and table_oid in (select table_oid from duckdb_tables() where not temporary)"
            " group by all order by all"
        ).fetchall()
    return dict(rows)


def _facts(connection: Connection, name: str, columns: Sequence[str]) -> TableFacts:
    schema, _, table = name.partition(".")
    listed = ", ".join(_quoted(column) for column in columns)
    rows, total = connection.execute(
        f"select count(*), coalesce(sum(hash({listed})), 0)::varchar"
        f" from {_quoted(schema)}.{_quoted(table)}"
    ).fetchall()[0]
    return TableFacts(int(rows), f"{int(total):032x}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
