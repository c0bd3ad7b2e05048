# SPDX-License-Identifier: Apache-2.0
"""Models into the file: views and macros created, tables given their shape, everything commented."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError, QueryError
from ttapi.models.header import refuse_equal_names, require_named_columns
from ttapi.models.model import Model, dataset_name, macro_parts
from ttapi.models.model_cache import analyser_version, shipped_document
from ttapi.sqltext import literal
from ttapi.store.catalog import read_meta, write_meta
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ttapi.models.graph import ModelGraph
    from ttapi.store.engine import Connection

_MADE = "models_made_of"
_FROM = re.compile(r"\bfrom\b", re.IGNORECASE)
_UNREADABLE = (
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP_NS",
    "TIMESTAMPTZ_NS",
    "TIME WITH TIME ZONE",
    "VARIANT",
)


def install_models(cursor: Connection, graph: ModelGraph) -> None:
    """Create or replace views and macros, and give every table that lacks one its empty shape.

    What stands there as it would be made now is left alone: nothing that it is made of has changed.
    Runs in the caller's transaction. Tables that exist keep their rows.

    *Raises* ModelError naming the file when the engine refuses a statement.
    """
    standing = _drop_removed(cursor, graph)
    known = _raw_comments(cursor)
    wanted = _making(graph, read_columns(cursor), known)
    shipped = shipped_document().get("installed", {})
    before = read_install_note(cursor, _MADE)
    changed = [
        model
        for name, model in graph.models.items()
        if model.qualified not in standing or before.get(name) != wanted[name]
    ]
    for model in changed:
        try:
            with engine_errors():
                told = shipped.get(wanted[model.name])
                _install(cursor, model, told, is_standing=model.qualified in standing)
        except QueryError as exc:
            raise ModelError(
                exc.message.splitlines()[0], file=model.file, line=model.body_line
            ) from exc
    types = _stored_types(cursor)
    for model in changed:
        if model.kind != "macro":
            _refuse_unreadable(model, types[model.name])
    _comment_on_all(cursor, graph, {model.name for model in changed}, known, types)
    write_note(cursor, _MADE, wanted)


def read_columns(cursor: Connection, database: str | None = None) -> dict[str, tuple[str, ...]]:
    """Columns, lower case, of every relation of the file, or of the attached `database`, by dataset name."""
    types = _stored_types(cursor, database)
    return {relation: tuple(map(str.lower, columns)) for relation, columns in types.items()}


def read_install_note(cursor: Connection, name: str) -> dict[str, str]:
    """What an installation before left under `name` for the next one; empty where none did."""
    text = read_meta(cursor, name)
    found: dict[str, str] = json.loads(text) if text else {}
    return found


def write_note(cursor: Connection, name: str, note: Mapping[str, str]) -> None:
    """Leave `note` under `name` for the next installation."""
    write_meta(cursor, name, json.dumps(note))


def create_table(cursor: Connection, model: Model) -> None:
    """An empty table of `model`'s shape, its SQL body being the definition."""
    create_shape(cursor, f"table {model.qualified}", _described(cursor, model))


def create_shape(cursor: Connection, what: str, columns: Mapping[str, str]) -> None:
    """Create `what` (`table x`, `temp table y`) empty, with these columns, engine type by name.

    Not by `create table as ... limit 0`: DuckDB 2.0.0 shows none of the rows that the same
    transaction then inserts into such a table, once they are more than one row group.
    """
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    cursor.execute(f"create or replace {what} ({listed})")


def output_columns(cursor: Connection, sql: str) -> dict[str, str]:
    """Engine type by output column of a SELECT, in order."""
    return {row[0]: row[1] for row in cursor.execute(f"describe {sql}").fetchall()}


def comment_on(
    cursor: Connection,
    model: Model,
    inherited: Mapping[str, str] | None = None,
    columns: Iterable[str] | None = None,
) -> None:
    """The header's `about` and every column comment, as COMMENT ON; `columns`: those it has, where known."""
    if model.kind == "macro":
        kind = "macro table" if macro_parts(model).is_table else "macro"
        cursor.execute(f"comment on {kind} {model.qualified} is {literal(model.about)}")
        return
    told = [f"comment on {model.kind} {model.qualified} is {literal(model.about)}"]
    comments = {**(inherited or {}), **model.column_comments}
    for column in columns or output_columns(cursor, f"select * from {model.qualified}"):
        text = comments.get(column.lower())
        if text:
            told.append(f'comment on column {model.qualified}."{column}" is {literal(text)}')
    cursor.execute(";\n".join(told))


def _making(
    graph: ModelGraph,
    columns: Mapping[str, tuple[str, ...]],
    comments: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """By model, a hash of all that decides what is stored of it: itself and everything behind it."""
    found: dict[str, str] = {}
    for name, model in graph.models.items():
        digest = hashlib.blake2b(
            f"{analyser_version()} {model.fingerprint}".encode(), digest_size=8
        )
        for upstream in sorted(graph.upstreams[name]):
            behind = found.get(upstream, (columns.get(upstream), comments.get(upstream)))
            digest.update(f"{upstream} {behind}\n".encode())
        found[name] = digest.hexdigest()
    return found


def installs_to_ship(cursor: Connection, graph: ModelGraph) -> dict[str, str | dict[str, str]]:
    """What an installation asks the engine or the parser for, by what `_making` says of the model.

    The definition of a view with a star, the columns of a table.
    """
    wanted = _making(graph, read_columns(cursor), _raw_comments(cursor))
    found: dict[str, str | dict[str, str]] = {}
    for name, model in graph.models.items():
        if model.kind == "table":
            found[wanted[name]] = _described(cursor, model)
        elif model.kind == "view" and _has_star(model):
            found[wanted[name]] = _stored_body(cursor, model)
    return found


def _install(cursor: Connection, model: Model, shipped: Any, *, is_standing: bool) -> None:
    """`shipped`: what `installs_to_ship` said of the very same model; None: nothing."""
    if model.kind == "macro":
        head = model.body[: model.body.lower().index(model.stem)]
        rest = model.body[len(head) + len(model.stem) :]
        cursor.execute(f"create or replace macro {model.qualified}{rest}")
        return
    if is_standing:
        other = ("BASE TABLE", "table") if model.kind == "view" else ("VIEW", "view")
        _drop_if(cursor, model, *other)
    if model.kind == "view":
        body = shipped or _stored_body(cursor, model)
        cursor.execute(f"create or replace view {model.qualified} as {body}")
        return
    columns = shipped or _described(cursor, model)
    if not is_standing or _existing_columns(cursor, model) != columns:
        create_shape(cursor, f"table {model.qualified}", columns)


def _described(cursor: Connection, model: Model) -> dict[str, str]:
    """Engine type by output column of `model`, each of which has a name of its own and every client can read."""
    described = cursor.execute(f"describe ({model.body})").fetchall()
    refuse_equal_names(model, [row[0] for row in described])
    columns = {row[0]: row[1] for row in described}
    require_named_columns(model, columns)
    _refuse_unreadable(model, columns)
    return columns


def _refuse_unreadable(model: Model, columns: Mapping[str, str]) -> None:
    """Nothing, or ModelError for a column that not every client can read."""
    for name, kind in columns.items():
        if kind.startswith(_UNREADABLE):
            raise ModelError(
                f"column {name} has type {kind}, which not every client can read",
                file=model.file,
                line=model.body_line,
                hint="cast it to TIMESTAMP (UTC)",
            )


def _stored_types(cursor: Connection, database: str | None = None) -> dict[str, dict[str, str]]:
    """Engine type by column, in order, of every stored table and view, by dataset name."""
    where = "current_database()" if database is None else "?"
    rows = cursor.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        f" where database_name = {where} and not internal order by schema_name, table_name, column_index",
        [] if database is None else [database],
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for schema, table, column, kind in rows:
        found.setdefault(dataset_name(schema, table), {})[column] = kind
    return found


def _stored_body(cursor: Connection, model: Model) -> str:
    """The body to store: every column by name, with its cast, as ttapi's own have it but for a star.

    A column that the relation behind a star gets later changes nothing of what is stored.
    """
    if model.is_bundled and not _has_star(model):
        return model.body
    columns = _described(cursor, model)
    if model.is_bundled:
        return _star_expanded(model, columns)
    casts = ", ".join(f'q."{name}"::{kind} as "{name}"' for name, kind in columns.items())
    return f"select {casts} from ({model.body}\n) as q"


def _has_star(model: Model) -> bool:
    """Whether `model` is a plain SELECT with a star; parsing every model for that takes too long."""
    columns = _FROM.split(model.body, maxsplit=1)[0]
    return columns.lower().startswith("select") and ".*" in columns


def _star_expanded(model: Model, columns: Mapping[str, str]) -> str:
    from ttapi.models.references import (  # noqa: PLC0415 - sqlglot takes 0.12 s
        parse_statements,
    )
    from ttapi.models.sql_edit import expand_star, star_of  # noqa: PLC0415 - sqlglot takes 0.12 s

    (statement,) = parse_statements(model.body)
    star = star_of(model.body, statement)
    return expand_star(model.body, star, columns) if star else model.body


def _existing_columns(cursor: Connection, model: Model) -> dict[str, str]:
    rows = cursor.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = ? and table_name = ? order by ordinal_position",
        [model.schema, model.stem],
    ).fetchall()
    return dict(rows)


def _drop_if(cursor: Connection, model: Model, table_type: str, keyword: str) -> None:
    found = cursor.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ? and table_type = ?",
        [model.schema, model.stem, table_type],
    ).fetchall()
    if found:
        cursor.execute(f"drop {keyword} {model.qualified}")


def _drop_removed(cursor: Connection, graph: ModelGraph) -> frozenset[str]:
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


def _comment_on_all(
    cursor: Connection,
    graph: ModelGraph,
    only: Collection[str],
    raw: Mapping[str, Mapping[str, str]],
    types: Mapping[str, Mapping[str, str]],
) -> None:
    """Comments of the models in `only`; a column without one of its own has that of what it reads.

    Of a raw table where a star passes its columns on: elsewhere they need not mean the same.
    """
    known: dict[str, Mapping[str, str]] = dict(raw)
    for name, model in graph.models.items():
        inherited: dict[str, str] = {}
        for upstream in sorted(graph.upstreams[name]):
            if upstream not in raw or _has_star(model):
                inherited |= known.get(upstream, {})
        if name in only:
            comment_on(cursor, model, inherited, types.get(name))
        known[name] = {**inherited, **model.column_comments}


def _raw_comments(cursor: Connection) -> dict[str, dict[str, str]]:
    """Comment by column of every raw table, by dataset name."""
    rows = cursor.execute(
        "select table_name, column_name, comment from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'raw' and comment is not null"
        " order by table_name, column_index"
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, comment in rows:
        found.setdefault(dataset_name("raw", table), {})[column.lower()] = comment
    return found
