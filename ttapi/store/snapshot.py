# SPDX-License-Identifier: Apache-2.0
"""The published file as its readers use it."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ttapi.errors import UsageError
from ttapi.store.engine import Connection, connect_snapshot, engine_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from ttapi.config import Home


_WITHOUT_ROWS = {
    "CREATE",
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "ALTER",
    "SET",
    "COPY",
    "LOAD",
    "ATTACH",
    "DETACH",
    "TRANSACTION",
    "PREPARE",
    "VACUUM",
    "EXPORT",
}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE_INTO"}
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
_CHECKPOINT = re.compile(r"\s*(force\s+)?checkpoint\b", re.IGNORECASE)


def gives_rows(kind: str, sql: str) -> bool:
    """Whether the answer of a statement is rows worth showing; `kind` is the engine's word for it."""
    if kind in _CHANGES:
        return bool(_RETURNING.search(sql))
    return kind not in _WITHOUT_ROWS and not _CHECKPOINT.match(sql)


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
    with closing(open_snapshot(home)) as connection, engine_errors(home.public_file):
        rows: list[tuple[Any, ...]] = connection.execute(sql, list(parameters)).fetchall()
    return rows


def run_statement(connection: Connection, sql: str) -> pa.Table | None:
    """The result of one statement as Arrow; None for a statement without one.

    *Raises* QueryError with the engine's text.
    """
    with engine_errors():
        relation = connection.sql(sql)
        return None if relation is None else relation.to_arrow_table()


def split_statements(connection: Connection, sql: str) -> list[tuple[str, bool]]:
    """The statements of `sql`, split by the engine's own parser, and whether each gives rows."""
    with engine_errors():
        statements = connection.extract_statements(sql)
    return [(s.query, gives_rows(s.type.name, s.query)) for s in statements]
