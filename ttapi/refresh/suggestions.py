# SPDX-License-Identifier: Apache-2.0
"""The engine's complaint about a name it does not know, with what was probably meant.

The engine suggests from all its own catalogs (`pg_sequences`); here the names are those of the file
and of the session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttapi.errors import InterruptedQueryError, QueryError
from ttapi.formats.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ask = Callable[[str], Sequence[Sequence[Any]]]
    """Rows of a query about the catalog, on the connection that complained."""

# The engine's words for what it did not find, DuckDB 1.5 and 2.0.
_MISSING = (
    (re.compile(r"Table with name \"?([\w.]+)\"? does not exist"), "relation"),
    (re.compile(r"Referenced column \"([^\"]+)\" (?:was )?not found"), "column"),
    (re.compile(r"does not have a column named \"([^\"]+)\""), "column"),
    (re.compile(r"Function with name \"?(\w+)\"? does not exist"), "function"),
    (re.compile(r"unrecognized configuration parameter \"([^\"]+)\""), "setting"),
)
_SUGGESTED = re.compile(r"\n?(Did you mean|Candidate bindings:)[^\n]*")

_HERE = "not internal and database_name in (current_database(), 'temp')"
_RELATIONS = f"""
    select if(schema_name = 'main', '', schema_name || '.') || name
    from (
        select schema_name, table_name as name from duckdb_tables() where {_HERE}
        union all
        select schema_name, view_name from duckdb_views() where {_HERE}
    )
"""
_COLUMNS = f"select lower(table_name), column_name from duckdb_columns() where {_HERE}"
_FUNCTIONS = r"""
    select distinct function_name from duckdb_functions()
    where regexp_full_match(function_name, '[a-zA-Z]\w*')
"""
_SETTINGS = "select name from duckdb_settings()"


def missing_name(message: str) -> tuple[str, str] | None:
    """What kind of thing the engine missed, and the name it was asked for; None: something else."""
    for pattern, kind in _MISSING:
        if match := pattern.search(message):
            return kind, match[1]
    return None


def with_suggestion(error: QueryError, sql: str, ask: Ask) -> QueryError:
    """`error`, its hint the name that was probably meant; unchanged where it is about no name."""
    missing = missing_name(error.message)
    if missing is None or isinstance(error, InterruptedQueryError):
        return error
    kind, name = missing
    meant = did_you_mean(name, _known(kind, sql, ask))
    # Of columns the engine knows more than the catalog does: those of a subquery.
    if meant is None and kind == "column":
        return error
    message = _SUGGESTED.sub("", error.message).rstrip()
    return QueryError(message, hint=meant or error.hint or _where_to_look(kind))


def _where_to_look(kind: str) -> str | None:
    return "show tables lists what there is" if kind == "relation" else None


def _known(kind: str, sql: str, ask: Ask) -> list[str]:
    if kind == "column":
        words = set(re.findall(r"\w+", sql.lower()))
        return [str(column) for table, column in ask(_COLUMNS) if table in words]
    asked = {"relation": _RELATIONS, "function": _FUNCTIONS, "setting": _SETTINGS}[kind]
    return [str(row[0]) for row in ask(asked)]
