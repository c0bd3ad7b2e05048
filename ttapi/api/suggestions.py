# SPDX-License-Identifier: Apache-2.0
"""The engine's complaint about a name it does not know, with what was probably meant.

The engine suggests from all its own catalogs (`pg_sequences`); here the names are those of the file
and of the session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttapi.errors import InterruptedQueryError, QueryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Ask = Callable[[str], Sequence[Sequence[Any]]]
    """Rows of a query about the catalog, on the connection that complained."""

# The engine's words for what it did not find, DuckDB 1.5 and 2.0.
_MISSING = (
    (re.compile(r"Table with name \"?([\w.]+)\"? does not exist"), "relation"),
    (re.compile(r"Referenced column \"([^\"]+)\" (?:was )?not found"), "column"),
    (re.compile(r"does not have a column named \"([^\"]+)\""), "column"),
    (re.compile(r"Column \"([^\"]+)\" in (?:EXCLUDE|REPLACE|RENAME) list not found"), "column"),
    (re.compile(r"Column \"([^\"]+)\" does not exist on (?:left|right) side"), "column"),
    (re.compile(r"Referenced table \"([^\"]+)\" not found"), "alias"),
    (re.compile(r"Function with name \"?(\w+)\"? does not exist"), "function"),
    (re.compile(r"unrecognized configuration parameter \"([^\"]+)\""), "setting"),
)
_SUGGESTED = re.compile(r"\n?(Did you mean|Candidate (?:bindings|tables):)([^\n]*)")
_QUOTED = re.compile(r'"([^"]+)"')
_SELECT = re.compile(r"\bselect\b", re.IGNORECASE)
_EXPLAINED = re.compile(r"(LINE 1: )explain (.*\n) {8}", re.IGNORECASE)
"""The line of a complaint, and the caret below it, of a text that was explained."""
_COLUMNS_SHOWN = 12

_HERE = "not internal and database_name in (current_database(), 'temp')"
_RELATIONS = f"""
    select if(schema_name = 'main', '', schema_name || '.') || name
    from (
        select schema_name, table_name as name from duckdb_tables() where {_HERE}
        union all
        select schema_name, view_name from duckdb_views() where {_HERE}
    )
"""
_COLUMNS = f"select schema_name, lower(table_name), column_name from duckdb_columns() where {_HERE}"
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


def as_written(error: QueryError) -> QueryError:
    """`error` about the text behind the `explain` that was put in front of it."""
    return QueryError(_EXPLAINED.sub(r"\1\2", error.message))


def with_suggestion(error: QueryError, sql: str, ask: Ask) -> QueryError:
    """`error`, its hint the name that was probably meant; unchanged where it is about no name."""
    missing = missing_name(error.message)
    if missing is None or isinstance(error, InterruptedQueryError):
        return error
    kind, name = missing
    message = _SUGGESTED.sub("", error.message).rstrip()
    # Of columns the engine knows more than the catalog does: those of a subquery.
    offered = [
        word for found in _SUGGESTED.finditer(error.message) for word in _QUOTED.findall(found[2])
    ]
    if kind == "alias":
        return QueryError(
            message, hint=did_you_mean(name, offered) or _listed("what is read here:", offered)
        )
    known = _known(kind, sql, ask)
    meant = did_you_mean(name, known)
    if meant is None and kind == "column":
        # What a subquery gives, the engine knows; the catalog knows what it reads.
        is_nested = not set(offered) <= set(known) or len(_SELECT.findall(sql)) > 1
        listed = _listed("columns here:", offered if is_nested else known)
        meant = did_you_mean(name, offered) or listed
    return QueryError(message, hint=meant or error.hint or _where_to_look(kind))


def _where_to_look(kind: str) -> str | None:
    return "show tables lists what there is" if kind == "relation" else None


def _listed(head: str, names: Sequence[str]) -> str | None:
    """What there is instead, in one line; None: nothing is known of it."""
    if not names:
        return None
    more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
    return f"{head} {', '.join(names[:_COLUMNS_SHOWN])}{more}"


def _known(kind: str, sql: str, ask: Ask) -> list[str]:
    if kind == "column":
        return _columns_read(sql, ask(_COLUMNS))
    asked = {"relation": _RELATIONS, "function": _FUNCTIONS, "setting": _SETTINGS}[kind]
    return [str(row[0]) for row in ask(asked)]


def _columns_read(sql: str, rows: Sequence[Sequence[Any]]) -> list[str]:
    """Columns of the relations that `sql` names: of `staged.eod` where it says so, else of main's."""
    text = sql.lower()
    words = set(re.findall(r"\w+", text))
    return list(
        dict.fromkeys(
            str(column)
            for schema, table, column in rows
            if table in words and (schema == "main" or f"{schema}.{table}" in text)
        )
    )
