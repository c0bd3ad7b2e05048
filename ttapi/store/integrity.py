# SPDX-License-Identifier: Apache-2.0
"""The ledger against the data: whether what the catalog says was loaded is what the tables hold.

Every load writes its rows and its ledger in one transaction, so they can only part when bytes of
another database found their way in: the engine applies a strange write-ahead log without a word.

What a database file holds, proved by reading it: rows and a hash of the content of every table.

Reading every column of every table makes the engine compare each block with its checksum, so a
fingerprint is also the proof that nothing in the file has rotted.

The write-ahead log beside a database file, its bytes looked at: whether it is whole.

The engine opens a file whose log was cut short, or whose log is no log at all, without a word: it
applies the whole commits it finds and drops the rest. Its frames tell what it does not.

*Source*: duckdb/src/storage/write_ahead_log.cpp (versions 2 and 3): a header of 8 bytes that names
the log's version, then frames of size (8 bytes, little endian), checksum (8 bytes) and content.
"""

from __future__ import annotations

import struct
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ttapi.errors import StoreError, TtapiError
from ttapi.sqltext import identifier
from ttapi.store.engine import Connection, connect_snapshot, engine_errors, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

_TWICE = {
    "unit": "select unit_id::varchar from catalog.units group by unit_id having count(*) > 1 limit 1",
    "batch": "select load_id || '/' || dataset || '/' || batch_no from catalog.loads"
    " group by load_id, dataset, batch_no having count(*) > 1 limit 1",
    "state of": "select dataset from catalog.state group by dataset having count(*) > 1 limit 1",
}


def disagreements(file: Path) -> list[str]:
    """Where ledger and data of `file` part, a sentence each; empty: nowhere.

    *Raises* StoreError, QueryError where the file cannot be read at all.
    """
    with closing(connect_snapshot(file)) as connection, engine_errors(file):
        return [
            *_repeated(connection),
            *_from_the_future(connection),
            *(
                line
                for table in _loaded_tables(connection)
                for line in _miscounted(connection, table)
            ),
            *_miscounted_rejects(connection),
        ]


def last_load(file: Path) -> int:
    """The last load_id that `file` gave out."""
    with closing(connect_snapshot(file)) as connection, engine_errors(file):
        return read_number(connection, "last_load_id")


def _repeated(connection: Connection) -> list[str]:
    found = []
    for what, query in _TWICE.items():
        rows = connection.execute(query).fetchall()
        found += [f"the catalog has {what} {row[0]} twice" for row in rows]
    return found


def _from_the_future(connection: Connection) -> list[str]:
    given = read_number(connection, "last_load_id")
    rows = connection.execute("select max(load_id) from catalog.loads").fetchall()
    newest = rows[0][0] or 0
    return [f"load {newest} is stored, and {given} was the last begun"] if newest > given else []


def _loaded_tables(connection: Connection) -> Sequence[str]:
    """The raw tables that the ledger speaks of and that keep their rows by unit."""
    rows = connection.execute(
        "select distinct u.dataset from catalog.units as u join duckdb_columns() as c"
        " on u.dataset = c.schema_name || '.' || c.table_name"
        " where c.database_name = current_database() and c.column_name = 'unit_id' order by all"
    ).fetchall()
    return [row[0] for row in rows]


def _miscounted(connection: Connection, dataset: str) -> list[str]:
    schema, _, table = dataset.partition(".")
    rows = connection.execute(
        f"""
        with stored as (
            select r.unit_id, count(*) as stored
            from "{schema}"."{table}" as r
            where r.replaced_at is null
            group by r.unit_id
        )
        select
            coalesce(u.key, 'unit ' || s.unit_id),
            coalesce(u.rows_accepted, 0),
            coalesce(s.stored, 0)
        from (select * from catalog.units where dataset = ?) as u
        full join stored as s
            on s.unit_id = u.unit_id
        where coalesce(u.rows_accepted, 0) <> coalesce(s.stored, 0)
        order by all
        """,
        [dataset],
    ).fetchall()
    return _text(dataset, "rows", rows)


def _miscounted_rejects(connection: Connection) -> list[str]:
    rows = connection.execute(
        """
        with stored as (
            select r.unit_id, count(*) as stored
            from raw.rejects as r
            where r.replaced_at is null
            group by r.unit_id
        )
        select
            coalesce(u.key, 'unit ' || s.unit_id),
            coalesce(u.rows_refused, 0),
            coalesce(s.stored, 0)
        from catalog.units as u
        full join stored as s
            on s.unit_id = u.unit_id
        where coalesce(u.rows_refused, 0) <> coalesce(s.stored, 0)
        order by all
        """
    ).fetchall()
    return _text("raw.rejects", "refused rows", rows)


def _text(table: str, what: str, rows: Sequence[tuple[str, int, int]]) -> list[str]:
    if not rows:
        return []
    key, said, stored = rows[0]
    more = f"; {len(rows) - 1:,} more units differ" if len(rows) > 1 else ""
    return [f"{table} holds {stored:,} {what} of {key} where the ledger says {said:,}{more}"]


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
    listed = ", ".join(identifier(column) for column in columns)
    rows, total = connection.execute(
        f"select count(*), coalesce(sum(hash({listed})), 0)::varchar"
        f" from {identifier(schema)}.{identifier(table)}"
    ).fetchall()[0]
    return TableFacts(int(rows), f"{int(total):032x}")


_HEADER = bytes.fromhex("640062650002ffff")
_FRAME = struct.Struct("<QQ")


@dataclass(frozen=True)
class LogFacts:
    """What the bytes of a log say."""

    size: int
    """Bytes."""
    frames: int
    """Entries that are there whole."""
    readable: int
    """Bytes up to where the last whole entry ends; 0: it does not even begin like a log."""

    @property
    def is_whole(self) -> bool:
        """Whether every byte belongs to a whole entry."""
        return self.readable == self.size


def log_of(file: Path) -> Path:
    """Where the engine keeps the write-ahead log of `file`."""
    return file.with_name(f"{file.name}.wal")


def inspect_log(log: Path) -> LogFacts | None:
    """What is in `log`; None where there is none or it is empty. *Raises* OSError."""
    try:
        with log.open("rb") as stream:
            return _scan(stream, log.stat().st_size)
    except FileNotFoundError:
        return None


def _scan(stream: BinaryIO, size: int) -> LogFacts | None:
    if size == 0:
        return None
    if stream.read(len(_HEADER)) != _HEADER:
        return LogFacts(size, 0, 0)
    frames, reached = 0, len(_HEADER)
    while True:
        head = stream.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return LogFacts(size, frames, reached)
        content, _checksum = _FRAME.unpack(head)
        ends = reached + _FRAME.size + content
        if ends > size:
            return LogFacts(size, frames, reached)
        stream.seek(ends)
        frames, reached = frames + 1, ends
