# SPDX-License-Identifier: Apache-2.0
"""One reader's connection: the newest published generation, and temporary objects of its own.

The published file is attached as `market` to a database in memory, so a newer generation can take
its place while temporary tables and views stay. Nothing is locked while it is open.

The published file as its readers use it.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ttapi.errors import StoreError, UsageError
from ttapi.sqltext import literal
from ttapi.store.engine import (
    Connection,
    attached,
    connect_memory,
    connect_snapshot,
    engine_errors,
)
from ttapi.store.rows import Rows, columns_of, with_arrow_types
from ttapi.store.statements import Statement, refuse_writes_into_home, split

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from ttapi.home import Home


def published_file(home: Home) -> Path:
    """The newest published generation, which the public link leads to.

    *Raises* UsageError when nothing is published, with the command that does it.
    """
    try:
        return home.public_file.resolve(strict=True)
    except OSError as exc:
        is_made = home.live_file.exists()
        command = (
            f"ttapi --home {shlex.quote(str(home.root))} {'restore live' if is_made else 'init'}"
        )
        raise UsageError(
            f"{home.public_file} cannot be opened: {exc.strerror}",
            hint=f"{command} publishes it again" if is_made else f"{command} makes one",
        ) from exc


def open_snapshot(home: Home) -> Connection:
    """A read-only connection to the newest published generation; the caller closes it.

    *Raises* UsageError when nothing is published, StoreError for a file that cannot be opened.
    """
    return connect_snapshot(published_file(home))


def read_rows(home: Home, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one query on the newest published generation."""
    with attached(published_file(home)) as connection, engine_errors(home.public_file):
        rows: list[tuple[Any, ...]] = connection.execute(sql, list(parameters)).fetchall()
    return rows


_NAME = "market"


class Reader:
    """A connection that follows what is published; used by one thread, interrupted from any."""

    def __init__(self, home: Home) -> None:
        """*Raises* UsageError when nothing is published, StoreError for a file that cannot be opened."""
        self._home = home
        self._attached: Path | None = None
        self._frames: set[str] = set()
        self._may_have_temporary = False
        """Whether a statement was run that could have made one: looking for them takes 15 ms a query."""
        self._connection = connect_memory()
        self.follow()

    def follow(self) -> bool:
        """Attach the newest generation; whether it is another than before."""
        newest = published_file(self._home)
        if newest == self._attached:
            return False
        connection = self._connection
        with engine_errors(newest):
            schema = "main"
            if self._attached is not None:
                ((place, schema),) = connection.execute(
                    "select current_database(), current_schema()"
                ).fetchall()
                schema = schema if place == _NAME else "main"
                connection.execute("use memory")
                connection.execute(f"detach {_NAME}")
            connection.execute(f"attach {literal(str(newest))} as {_NAME} (read_only)")
            connection.execute(f'use {_NAME}."{schema}"')
        self._attached = newest
        return True

    def split(self, sql: str) -> list[Statement]:
        """The statements of `sql`.

        *Raises* QueryError with the engine's text; UsageError when one would write a file of ttapi's own.
        """
        return split(self._connection, sql)

    def run(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        keep_rows: int | None = None,
    ) -> Rows | None:
        """The answer of one statement; None for a statement without one.

        With `keep_rows` the rest is counted, not kept.

        *Raises* QueryError with the engine's text, InterruptedQueryError after `interrupt`; UsageError for
        a statement that would write a file of ttapi's own.
        """
        refuse_writes_into_home(sql)
        self._may_have_temporary |= "create" in sql.lower()
        with engine_errors():
            relation = self._connection.sql(sql, params=parameters or None)
            if relation is None:
                self._may_have_temporary = True
                return None
            columns = columns_of(relation)
            table, total = _fetched(with_arrow_types(relation, columns), keep_rows)
            table = table.rename_columns([column.name for column in columns])
            return Rows(table, total, columns, self._connection)

    def forbid_files(self) -> None:
        """No statement reads or writes a file from here on, except newer generations."""
        folder = literal(str(self._home.snapshots.resolve()))
        with engine_errors():
            self._connection.execute(f"set allowed_directories = [{folder}]")
            self._connection.execute("set enable_external_access = false")

    def interrupt(self) -> None:
        """End the statement that runs, from another thread or a signal handler."""
        self._connection.interrupt()

    def register(self, name: str, frame: Any) -> None:
        """Have statements read `frame` (pandas, Polars, Arrow) under `name`, before what the file calls so.

        *Raises* UsageError for what is no frame.
        """
        refusal = UsageError(
            f"{name}: a {type(frame).__name__} is no table",
            hint="a DataFrame of pandas or Polars, or an Arrow table, is one",
        )
        if not is_frame(frame):
            raise refusal
        import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

        try:
            table = _arrow_table(frame)
        except (pa.ArrowException, TypeError) as exc:  # a single column
            raise refusal from exc
        with engine_errors():
            self._connection.register(name, table)
        self._frames.add(name.lower())

    def unregister(self, name: str) -> None:
        """Forget what was registered under `name`."""
        with engine_errors():
            self._connection.unregister(name)
        self._frames.discard(name.lower())

    def temporary_views(self) -> dict[str, str]:
        """The SELECT of each temporary view, by name; registered frames are none."""
        if not self._may_have_temporary:
            return {}
        rows = self._connection.execute(
            "select view_name, sql from duckdb_views() where temporary and not internal"
        ).fetchall()
        return {
            name.lower(): sql.partition(" AS ")[2].rstrip(";")
            for name, sql in rows
            if name.lower() not in self._frames
        }

    def temporary_tables(self) -> frozenset[str]:
        """Names of the temporary tables and registered frames, lower case."""
        if not self._may_have_temporary:
            return frozenset(self._frames)
        rows = self._connection.execute(
            "select lower(table_name) from duckdb_tables() where temporary"
        ).fetchall()
        return frozenset(row[0] for row in rows) | self._frames

    def instant_columns(self, relations: Collection[str]) -> frozenset[str]:
        """Columns of `relations` (`eod`, `raw.x`) that are declared as instants: their comment says UTC."""
        rows = self._connection.execute(
            """
            select distinct lower(column_name) from duckdb_columns()
            where database_name = ? and data_type = 'TIMESTAMP' and comment like '%UTC%'
                and list_contains(?, lower(if(schema_name = 'main', '', schema_name || '.') || table_name))
            """,
            [_NAME, sorted(relations)],
        ).fetchall()
        return frozenset(row[0] for row in rows)

    def close(self) -> None:
        """Let go of the file and of everything temporary."""
        self._connection.close()


def select_rows(
    connection: Connection,
    sql: str,
    parameters: Sequence[Any] = (),
    *,
    deadline_s: float | None = None,
) -> Rows:
    """The answer of one SELECT by a cursor of its own, values bound.

    *Raises* QueryError; InterruptedQueryError past `deadline_s`.
    """
    cursor = connection.cursor()
    with _ended_after(deadline_s, cursor), engine_errors():
        relation = cursor.sql(sql, params=list(parameters) or None)
        columns = columns_of(relation)
        table = with_arrow_types(relation, columns).to_arrow_table()
    table = table.rename_columns([column.name for column in columns])
    return Rows(table, table.num_rows, columns, cursor)


@contextmanager
def _ended_after(deadline_s: float | None, connection: Connection) -> Iterator[None]:
    timer = threading.Timer(deadline_s or 0.0, connection.interrupt)
    timer.daemon = True
    if deadline_s is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


DEEP, LARGE = 4_000, 200_000
"""A window that ends behind the first, of as many rows as the second or more, costs a sort of all of them."""
_SORTED_KEPT = 2


class SortedRows:
    """The rows of one SELECT in its order, stored in a file of their own: each window is read where it lies.

    Five million rows of nine columns take 66 MB and 8.5 s to store; a window from the middle then takes 7 ms
    instead of 3 s (`tests/bench/deep_windows.py`, two cores with other work on them).
    """

    def __init__(
        self,
        snapshot: Path,
        sql: str,
        parameters: Sequence[Any],
        file: Path,
        deadline_s: float | None,
    ) -> None:
        """`file`: where they go. *Raises* as `select_rows`; StoreError where there is no room for them."""
        self._file = file
        spill = os.path.join(tempfile.gettempdir(), f"ttapi-spill-{os.getpid()}")  # noqa: PTH118 - a name for the engine
        settings = f"set memory_limit = '1GB'; set temp_directory = {literal(spill)}"
        try:
            with (
                closing(connect_memory()) as sorting,
                _ended_after(deadline_s, sorting),
                engine_errors(file),
            ):
                sorting.execute(settings)
                sorting.execute(f"attach {literal(str(snapshot))} as {_NAME} (read_only)")
                sorting.execute(f"attach {literal(str(file))} as sorted")
                sorting.execute(f"use {_NAME}.main")
                sorting.execute(f"create table sorted.main.rows as {sql}", list(parameters))
                sorting.execute("use memory; detach sorted")
            self._connection = connect_snapshot(file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def window(self, offset: int, limit: int, deadline_s: float | None = None) -> Rows:
        """So many rows from there on. *Raises* as `select_rows`."""
        sql = "select * from main.rows where rowid between ? and ? order by rowid"
        bounds = (offset, offset + limit - 1)
        return select_rows(self._connection, sql, bounds, deadline_s=deadline_s)

    def close(self) -> None:
        """Remove them."""
        self._connection.close()
        self._file.unlink(missing_ok=True)


class SortedWindows:
    """Windows far into the orders of one published file, the last two orders kept that were asked for again."""

    def __init__(self, snapshot: Path) -> None:
        """`snapshot`: the file, by its second name; what is sorted lies beside it."""
        self._snapshot, self._lock = snapshot, threading.Lock()
        self._kept: dict[Any, SortedRows] = {}
        self._asked: set[Any] = set()
        self._stored = 0

    def window(
        self, ordered: str, parameters: Sequence[Any], rows: range, deadline_s: float
    ) -> Rows | None:
        """The `rows`, counted from 0, of an ordered SELECT; None the first time, and where there is no room.

        Storing an order takes nearly three times as long as sorting for one window. *Raises* as `select_rows`.
        """
        key = (ordered, *parameters)
        if key not in self._asked:
            self._asked.add(key)
            return None
        with self._lock, suppress(StoreError):
            found = self._kept.pop(key, None) or self._sorted(ordered, parameters, deadline_s)
            self._kept[key] = found  # as the last that was asked for
            return found.window(rows.start, len(rows), deadline_s)
        return None

    def close(self) -> None:
        """Remove what was sorted."""
        while self._kept:
            self._kept.popitem()[1].close()

    def _sorted(self, ordered: str, parameters: Sequence[Any], deadline_s: float) -> SortedRows:
        while len(self._kept) >= _SORTED_KEPT:
            self._kept.pop(next(iter(self._kept))).close()
        self._stored += 1
        # Its last suffixes are those of the second name: whoever clears up after the dead knows both.
        market, number, *owner = self._snapshot.name.split(".")
        name = ".".join([market, f"{number}-{self._stored}", *owner])
        file = self._snapshot.with_name(name)
        return SortedRows(self._snapshot, ordered, parameters, file, deadline_s)


def is_frame(value: Any) -> bool:
    """Whether `value` is a table of pandas, Polars or Arrow."""
    kind = type(value)
    is_named = kind.__name__ in {"DataFrame", "LazyFrame"}
    return hasattr(kind, "__arrow_c_stream__") or (
        is_named and kind.__module__.startswith(("pandas.", "polars."))
    )


def _arrow_table(frame: Any) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    if type(frame).__name__ == "LazyFrame":
        frame = frame.collect()
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    return pa.Table.from_pandas(frame, preserve_index=False)  # pandas before 2.2


def _fetched(relation: duckdb.DuckDBPyRelation, keep_rows: int | None) -> tuple[pa.Table, int]:
    """The rows to keep, and how many there are."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    if keep_rows is None:
        table = relation.to_arrow_table()
        return table, table.num_rows
    kept: list[pa.RecordBatch] = []
    total = have = 0
    with relation.to_arrow_reader(10_000) as reader:
        for batch in reader:
            total += batch.num_rows
            if have < keep_rows:
                kept.append(batch.slice(0, keep_rows - have))
                have += kept[-1].num_rows
        return pa.Table.from_batches(kept, reader.schema), total
