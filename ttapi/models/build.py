# SPDX-License-Identifier: Apache-2.0
"""Models into the file: views and macros created, tables given their shape, everything commented."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError, QueryError
from ttapi.models.model import Model, dataset_name, macro_parts
from ttapi.models.readings import made_by
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ttapi.models.graph import ModelGraph

_MADE = "models_made_of"
_UNREADABLE = (
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_NS",
    "TIMESTAMPTZ_NS",
    "TIME WITH TIME ZONE",
    "VARIANT",
)


def install_models(cursor: Any, graph: ModelGraph) -> None:
    """Create or replace views and macros, and give every table that lacks one its empty shape.

    What stands there as it would be made now is left alone: nothing that it is made of has changed.
    Runs in the caller's transaction. Tables that exist keep their rows.

    *Raises* ModelError naming the file when the engine refuses a statement.
    """
    standing = _drop_removed(cursor, graph)
    wanted, before = _making(graph, read_columns(cursor)), read_note(cursor, _MADE)
    changed = [
        model
        for name, model in graph.models.items()
        if model.qualified not in standing or before.get(name) != wanted[name]
    ]
    for model in changed:
        try:
            with engine_errors():
                _install(cursor, model)
        except QueryError as exc:
            raise ModelError(_engine_text(exc), file=model.file, line=model.body_line) from exc
    _comment_on_all(cursor, graph, {model.name for model in changed})
    write_note(cursor, _MADE, wanted)


def read_columns(cursor: Any, database: str | None = None) -> dict[str, tuple[str, ...]]:
    """Columns of every relation of the file, or of the attached `database`, by dataset name."""
    where = "current_database()" if database is None else "?"
    rows = cursor.execute(
        "select schema_name, table_name, list(column_name order by column_index)"
        f" from duckdb_columns() where database_name = {where} and not internal group by all",
        [] if database is None else [database],
    ).fetchall()
    return {
        dataset_name(schema, table): tuple(name.lower() for name in names)
        for schema, table, names in rows
    }


def read_note(cursor: Any, name: str) -> dict[str, str]:
    """What an installation before left under `name` for the next one; empty where none did."""
    rows = cursor.execute("select value from catalog.meta where name = ?", [name]).fetchall()
    found: dict[str, str] = json.loads(rows[0][0]) if rows else {}
    return found


def write_note(cursor: Any, name: str, note: Mapping[str, str]) -> None:
    """Leave `note` under `name` for the next installation."""
    cursor.execute("delete from catalog.meta where name = ?", [name])
    cursor.execute("insert into catalog.meta values (?, ?)", [name, json.dumps(note)])


def create_table(cursor: Any, model: Model) -> None:
    """An empty table of `model`'s shape, its SQL body being the definition."""
    _refuse_unreadable_output(cursor, model)
    create_shape(cursor, f"table {model.qualified}", model.body)


def create_shape(cursor: Any, what: str, sql: str) -> None:
    """Create `what` (`table x`, `temp table y`) empty, with the columns that `sql` gives.

    Not by `create table as ... limit 0`: DuckDB 2.0.0 shows none of the rows that the same
    transaction then inserts into such a table, once they are more than one row group.
    """
    columns = ", ".join(
        f'"{name}" {kind}' for name, kind in output_columns(cursor, f"({sql})").items()
    )
    cursor.execute(f"create or replace {what} ({columns})")


def output_columns(cursor: Any, sql: str) -> dict[str, str]:
    """Engine type by output column of a SELECT, in order."""
    return {row[0]: row[1] for row in cursor.execute(f"describe {sql}").fetchall()}


def comment_on(cursor: Any, model: Model, inherited: Mapping[str, str] | None = None) -> None:
    """The header's `about` and every column comment, as COMMENT ON."""
    if model.kind == "macro":
        kind = "macro table" if _is_table_macro(model) else "macro"
        cursor.execute(f"comment on {kind} {model.qualified} is {quoted(model.about)}")
        return
    cursor.execute(f"comment on {model.kind} {model.qualified} is {quoted(model.about)}")
    comments = {**(inherited or {}), **model.column_comments}
    for column in output_columns(cursor, f"select * from {model.qualified}"):
        text = comments.get(column.lower())
        if text:
            cursor.execute(f'comment on column {model.qualified}."{column}" is {quoted(text)}')


def quoted(text: str) -> str:
    """`text` as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _making(graph: ModelGraph, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """By model, a hash of all that decides what is stored of it: itself and everything behind it."""
    found: dict[str, str] = {}
    for name, model in graph.models.items():
        digest = hashlib.blake2b(f"{made_by()} {model.fingerprint}".encode(), digest_size=8)
        for upstream in sorted(graph.upstreams[name]):
            digest.update(f"{upstream} {found.get(upstream, columns.get(upstream))}\n".encode())
        found[name] = digest.hexdigest()
    return found


def _install(cursor: Any, model: Model) -> None:
    if model.kind == "macro":
        head = model.body[: model.body.lower().index(model.stem)]
        rest = model.body[len(head) + len(model.stem) :]
        cursor.execute(f"create or replace macro {model.qualified}{rest}")
    elif model.kind == "view":
        _drop_if(cursor, model, "BASE TABLE", "table")
        body = _refuse_unreadable_output(cursor, model)
        cursor.execute(f"create or replace view {model.qualified} as {body}")
    else:
        _drop_if(cursor, model, "VIEW", "view")
        wanted = output_columns(cursor, f"({model.body})")
        if _existing_columns(cursor, model) != wanted:
            create_table(cursor, model)


def _refuse_unreadable_output(cursor: Any, model: Model) -> str:
    """The body to store: a user's own output columns are cast to their types, ours say so already."""
    columns = output_columns(cursor, f"({model.body})")
    for name, kind in columns.items():
        if kind.startswith(_UNREADABLE):
            raise ModelError(
                f"column {name} has type {kind}, which not every client can read",
                file=model.file,
                line=model.body_line,
                hint="cast it to TIMESTAMP (UTC)",
            )
    if model.is_bundled:
        return model.body
    casts = ", ".join(f'q."{name}"::{kind} as "{name}"' for name, kind in columns.items())
    return f"select {casts} from ({model.body}\n) as q"


def _existing_columns(cursor: Any, model: Model) -> dict[str, str]:
    rows = cursor.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = ? and table_name = ? order by ordinal_position",
        [model.schema, model.stem],
    ).fetchall()
    return dict(rows)


def _drop_if(cursor: Any, model: Model, table_type: str, keyword: str) -> None:
    found = cursor.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ? and table_type = ?",
        [model.schema, model.stem, table_type],
    ).fetchall()
    if found:
        cursor.execute(f"drop {keyword} {model.qualified}")


def _drop_removed(cursor: Any, graph: ModelGraph) -> frozenset[str]:
    """Drop relations of model schemas that no model defines any more; the qualified names of the others."""
    wanted = {model.qualified for model in graph.models.values()}
    relations = cursor.execute(
        "select table_schema || '.' || table_name, table_type from information_schema.tables"
        " where table_catalog = current_database() and table_schema in ('main', 'staged', 'derived')"
    ).fetchall()
    for name, table_type in relations:
        if name not in wanted:
            cursor.execute(f"drop {'view' if table_type == 'VIEW' else 'table'} {name}")
    macros = cursor.execute(
        "select distinct schema_name || '.' || function_name, function_type from duckdb_functions()"
        " where not internal and database_name = current_database() and function_type in ('macro', 'table_macro')"
    ).fetchall()
    for name, function_type in macros:
        if name not in wanted:
            cursor.execute(
                f"drop {'macro table' if function_type == 'table_macro' else 'macro'} {name}"
            )
    return frozenset(name for name, _ in (*relations, *macros)) & wanted


def _comment_on_all(cursor: Any, graph: ModelGraph, only: Collection[str]) -> None:
    known: dict[str, dict[str, str]] = {}
    for name, model in graph.models.items():
        inherited: dict[str, str] = {}
        for upstream in sorted(graph.upstreams[name]):
            inherited |= known.get(upstream, {})
        if name in only:
            comment_on(cursor, model, inherited)
        known[name] = {**inherited, **model.column_comments}


def _is_table_macro(model: Model) -> bool:

    return macro_parts(model).is_table


def _engine_text(exc: QueryError) -> str:
    return exc.message.splitlines()[0]
