# SPDX-License-Identifier: Apache-2.0
"""What a piece of SQL reads, by sqlglot: relations, table functions, scalar functions."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from ttapi.errors import QueryError
from ttapi.models.limits import Write
from ttapi.models.model import dataset_name

if TYPE_CHECKING:
    from collections.abc import Callable

# sqlglot warns on standard error about statements it keeps as text; they are handled here.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_EXPLAIN = re.compile(r"^\s*explain(\s+analyze)?\s+(\(.*?\)\s*)?", re.IGNORECASE)


_SESSION = frozenset({"memory", "temp"})
"""Databases that last as long as a session does."""
_FILE = frozenset({"", "market"})
"""Names of the published file as a session attaches it."""
_TABLES = frozenset({"TABLE", "VIEW", "SCHEMA"})


TOO_DEEP = "it is nested too deeply to be taken apart"
"""Of a statement that the engine may well run: programs write sums of a thousand terms."""


@dataclass(frozen=True)
class References:
    """Names a statement uses, as dataset names (`eod`, `derived.calendar`)."""

    relations: frozenset[str]
    functions: frozenset[str]
    """Lower-case names of functions sqlglot does not know: macros among them."""
    files: frozenset[str]
    """Paths read as tables (`from 'x.csv'`, `read_csv('x.csv')`)."""
    writes: frozenset[Write]
    """What the statement would create or change, unless it is temporary."""


@lru_cache(maxsize=256)
def parse_statements(sql: str) -> tuple[exp.Expr, ...]:
    """The statements in `sql`.

    *Raises* QueryError when sqlglot cannot read it, ending in the line where it can tell.
    """
    try:
        parsed = sqlglot.parse(_EXPLAIN.sub("", sql), dialect="duckdb")
    except sqlglot.errors.SqlglotError as exc:
        raise QueryError(f"the statement cannot be read: {_complaint(exc)}") from exc
    except RecursionError as exc:
        raise QueryError(TOO_DEEP) from exc
    return tuple(statement for statement in parsed if statement is not None)


@lru_cache(maxsize=256)
def references_in(sql: str) -> References:
    """What all statements of `sql` read and write."""
    merged = [_of_statement(statement) for statement in parse_statements(sql)]
    return References(
        relations=frozenset().union(*(r.relations for r in merged)),
        functions=frozenset().union(*(r.functions for r in merged)),
        files=frozenset().union(*(r.files for r in merged)),
        writes=frozenset().union(*(r.writes for r in merged)),
    )


def unchanged_columns(
    sql: str, declared: Callable[[frozenset[str]], frozenset[str]]
) -> frozenset[str]:
    """Names under which `sql` passes on, as they are, the columns that `declared` gives of its relations.

    What is computed, under whatever name, is none of them; nor is anything that cannot be taken apart.
    """
    try:
        found = references_in(sql)
        statements = parse_statements(sql)
    except QueryError:
        return frozenset()
    # An as-of macro has the columns of the relation whose past it gives.
    pasts = {name.removesuffix("_asof") for name in found.functions if name.endswith("_asof")}
    names = set(declared(found.relations | pasts))
    computed: set[str] = set()
    # Innermost first: what a part of the statement renames, the part around it may rename again.
    aliases = [alias for one in statements for alias in one.find_all(exp.Alias)]
    for alias in reversed(aliases):
        column = alias.this.unnest()
        is_passed = isinstance(column, exp.Column) and column.name.lower() in names
        (names if is_passed else computed).add(alias.alias.lower())
    for one in statements:
        for table in one.find_all(exp.TableAlias):
            computed |= {column.name.lower() for column in table.columns}
    return frozenset(names - computed)


def _of_statement(statement: exp.Expr) -> References:
    target = _written_table(statement)
    relations: set[str] = set()
    functions: set[str] = set()
    files: set[str] = set()
    for table in statement.find_all(exp.Table):
        if table is target:
            continue
        if isinstance(table.this, exp.Identifier):
            if is_cte(table):
                continue
            if looks_like_file(table):
                files.add(table.name)
            else:
                relations.add(dataset_name(table.db.lower(), table.name.lower()))
        elif isinstance(table.this, exp.Anonymous):
            functions.add(table.this.name.lower())
        elif isinstance(table.this, exp.ReadCSV | exp.ReadParquet):
            files.add(table.this.sql(dialect="duckdb"))
    functions |= {call.name.lower() for call in statement.find_all(exp.Anonymous)}
    return References(
        frozenset(relations),
        frozenset(functions),
        frozenset(files),
        _writes(statement, target),
    )


def _writes(statement: exp.Expr, target: exp.Table | None) -> frozenset[Write]:
    if target is None or _is_temporary(statement):
        return frozenset()
    if target.catalog.lower() not in _FILE or target.db.lower() in _SESSION:
        return frozenset()
    is_new = isinstance(statement, exp.Create)
    kind = str(statement.args.get("kind") or "TABLE").upper()
    if isinstance(statement, exp.Drop) and kind not in _TABLES:
        # Of temporary ones only the engine knows.
        return frozenset()
    if kind == "SCHEMA":
        return frozenset({Write(target.db.lower(), "schema", is_new)})
    kind = "macro" if kind == "FUNCTION" else kind.lower()
    return frozenset({Write(dataset_name(target.db.lower(), target.name.lower()), kind, is_new)})


def _written_table(statement: exp.Expr) -> exp.Table | None:
    if isinstance(
        statement,
        exp.Create | exp.Insert | exp.Update | exp.Delete | exp.Drop | exp.Merge | exp.Alter
        | exp.TruncateTable,
    ):  # fmt: skip
        return statement.find(exp.Table)
    return None


def _is_temporary(statement: exp.Expr) -> bool:
    return isinstance(statement, exp.Create) and any(
        isinstance(p, exp.TemporaryProperty) for p in statement.find_all(exp.Property)
    )


def looks_like_file(table: exp.Table) -> bool:
    """Whether a name in a FROM clause is a path: `from 'x.csv'`."""
    quoted = bool(table.this.args.get("quoted"))
    return quoted and not table.db and ("/" in table.name or "." in table.name)


def is_cte(table: exp.Table) -> bool:
    """Whether an unqualified name is a CTE in scope; a CTE sees those before it, not itself."""
    if table.db:
        return False
    name = table.name.lower()
    passed: exp.Expr | None = None
    node: exp.Expr | None = table
    while node is not None:
        clause = node.args.get("with_")
        if isinstance(clause, exp.With):
            for cte in clause.expressions:
                if cte is passed and not clause.recursive:
                    break
                if cte.alias.lower() == name:
                    return True
                if cte is passed:
                    break
        if isinstance(node, exp.CTE):
            passed = node
        node = node.parent
    return False


def _complaint(exc: sqlglot.errors.SqlglotError) -> str:
    """Where the text goes wrong, in plain words: the parser's own name its classes."""
    if not isinstance(exc, sqlglot.errors.ParseError) or not exc.errors:
        return "a quote or a comment is not closed"
    place = exc.errors[0]
    word, line = place.get("highlight") or "", place.get("line") or 1
    if not (place.get("end_context") or "").strip():
        return f'syntax error, something is missing after "{word}", line {line}'
    return f'syntax error at or near "{word}", line {line}'
