# SPDX-License-Identifier: Apache-2.0
"""What a statement of somebody who is not trusted may be: one SELECT of functions that only compute.

The engine's own parser says so. The boundary is elsewhere: a worker holds no file but the one it has
opened, and can open none (`store/sandbox_worker.py`). What is refused here would tell of the machine, or
waste a worker. Table functions are allowed by name, so that one of a newer engine is refused; of
scalars few are refused.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.home import Home
    from ttapi.store.engine import Connection

ALLOWED_TABLE_FUNCTIONS = frozenset({
    "collations", "duckdb_columns", "duckdb_constraints", "duckdb_dependencies", "duckdb_functions",
    "duckdb_indexes",
    "duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types",
    "duckdb_views", "functions", "generate_series", "histogram", "histogram_values",
    "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names", "pragma_collations",
    "pragma_platform", "pragma_show", "pragma_table_info", "pragma_version", "range", "repeat",
    "repeat_row", "summary", "test_all_types", "unnest",
})  # fmt: skip
"""The engine's own; those of the file that is read come beside them."""
REFUSED_FUNCTIONS = frozenset({
    "current_setting", "getenv", "getvariable", "json_execute_serialized_sql", "json_serialize_plan",
    "pg_sleep", "query", "query_table", "sleep_ms", "write_log",
})  # fmt: skip
"""Of the machine and of settings, of the log, of nothing but time, and those that run a text as SQL."""
REFUSED_PREFIXES = ("__internal",)
"""Functions that the engine's own plans call, with arguments it does not look at."""
REFUSED_RELATIONS = frozenset({
    "duckdb_databases", "duckdb_logs", "duckdb_settings", "pg_database", "pg_prepared_statements",
    "pg_settings", "pragma_database_list", "variables",
})  # fmt: skip
"""The engine's own views that tell where the file lies and how it was opened."""
_HINT = "one SELECT over relations of this database is answered"
_NAMES = {
    "FUNCTION": "function_name",
    "WINDOW": "function_name",
    "BASE_TABLE": "table_name",
    "SHOW_REF": "table_name",
}
"""Where the engine's tree of a statement keeps names, by class or type of the node."""
_WRITES = "_QUERY_NODE"
"""How the type of a node ends that inserts, updates or deletes, in a CTE."""


def require_harmless(connection: Connection, sql: str) -> None:
    """Nothing, or QueryError for a text that is not one SELECT, or that calls or reads what is refused."""
    with engine_errors():
        kinds = _kinds(connection, sql)
        if len(kinds) != 1:
            what = f"{len(kinds)} statements" if kinds else "no statement"
            raise QueryError(f"{what} given, one is answered", hint=_HINT)
        if kinds != ["SELECT"]:
            what = "PIVOT without IN" if kinds == ["MULTI"] else kinds[0]
            raise QueryError(f"{what} is not answered here", hint=_HINT)
        ((text,),) = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError as exc:
        raise QueryError("the statement is nested too deep", hint=_HINT) from exc
    if tree.get("error"):
        raise QueryError(f"not answered here: {tree.get('error_message')}", hint=_HINT)
    own = None
    for kind, name in _named(tree):
        if is_refused(kind, name):
            raise QueryError(f"{name} is not available here", hint=_HINT)
        if kind == "TABLE_FUNCTION" and name not in ALLOWED_TABLE_FUNCTIONS:
            own = _table_macros(connection) if own is None else own
            if name not in own:
                raise QueryError(f"the table function {name} is not available here", hint=_HINT)


def _kinds(connection: Connection, sql: str) -> list[str]:
    """What each statement is, by the engine's word."""
    try:
        return [statement.type.name for statement in connection.extract_statements(sql)]
    except ValueError:  # the client has no word for it
        return ["OTHER"]


def is_refused(kind: str, name: str) -> bool:
    """Whether a node of that kind (FUNCTION, BASE_TABLE, WRITE) may not name `name`."""
    if kind == "WRITE":
        return True
    if kind in {"BASE_TABLE", "SHOW_REF"}:
        return name in REFUSED_RELATIONS
    return name in REFUSED_FUNCTIONS or name.startswith(REFUSED_PREFIXES)


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """Every function and relation that the tree names, lower case, with the kind of its node."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            # Of a constant DuckDB 1.5 writes a type that is an object.
            said, group = (_text_of(one.get(name)) for name in ("type", "class"))
            kind = said if said in _NAMES else group
            if said.endswith(_WRITES):
                yield "WRITE", said.removesuffix(_WRITES).lower()
            if said == "TABLE_FUNCTION" and isinstance(one.get("function"), dict):
                yield "TABLE_FUNCTION", _plain(one["function"].get("function_name"))
            elif kind in _NAMES:
                yield kind, _plain(one.get(_NAMES[kind]))
            waiting += one.values()


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _plain(name: object) -> str:
    """As the engine looks it up; `show variables` keeps its word in quotes."""
    return str(name or "").strip('"').lower()


def _table_macros(connection: Connection) -> frozenset[str]:
    """Table macros of the file, but for those that are called like a function of the engine."""
    rows = connection.execute(
        """
        select lower(function_name) from duckdb_functions()
        group by all
        having bool_and(function_type = 'table_macro' and not internal)
        """
    ).fetchall()
    return frozenset(row[0] for row in rows)


def places_of(home: Home) -> re.Pattern[str]:
    """What finds a path that tells where this machine keeps anything of ours, to its end."""
    places = {home.root, Path(tempfile.gettempdir()), Path(sys.prefix), Path(sys.base_prefix)}
    places |= {Path(__file__).parents[2], Path.home(), Path.cwd()}
    texts = {str(place) for one in places for place in (one, one.resolve())} - {"/"}
    found = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(rf"(?:{found})[^\s'\"`,;)\]]*")
