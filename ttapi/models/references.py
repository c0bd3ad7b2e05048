# SPDX-License-Identifier: Apache-2.0
"""What a piece of SQL reads, by sqlglot: relations, table functions, scalar functions."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

from ttapi.errors import QueryError
from ttapi.models.model import dataset_name

# sqlglot warns on standard error about statements it keeps as text; they are handled here.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

_EXPLAIN = re.compile(r"^\s*explain(\s+analyze)?\s+(\(.*?\)\s*)?", re.IGNORECASE)


@dataclass(frozen=True)
class References:
    """Names a statement uses, as dataset names (`eod`, `derived.calendar`)."""

    relations: frozenset[str]
    functions: frozenset[str]
    """Lower-case names of functions sqlglot does not know: macros among them."""
    files: frozenset[str]
    """Paths read as tables (`from 'x.csv'`, `read_csv('x.csv')`)."""
    writes: frozenset[str]
    """Persistent relations the statement would create or change."""


@lru_cache(maxsize=256)
def parse_statements(sql: str) -> tuple[exp.Expr, ...]:
    """The statements in `sql`.

    *Raises* QueryError when sqlglot cannot read it.
    """
    try:
        parsed = sqlglot.parse(_EXPLAIN.sub("", sql), dialect="duckdb")
    except sqlglot.errors.SqlglotError as exc:
        raise QueryError(f"the statement cannot be read: {_first_line(exc)}") from exc
    return tuple(statement for statement in parsed if statement is not None)


def references_in(sql: str) -> References:
    """What all statements of `sql` read and write."""
    merged = [_of_statement(statement) for statement in parse_statements(sql)]
    return References(
        relations=frozenset().union(*(r.relations for r in merged)),
        functions=frozenset().union(*(r.functions for r in merged)),
        files=frozenset().union(*(r.files for r in merged)),
        writes=frozenset().union(*(r.writes for r in merged)),
    )


def _of_statement(statement: exp.Expr) -> References:
    target = _written_table(statement)
    relations: set[str] = set()
    functions: set[str] = set()
    files: set[str] = set()
    for table in statement.find_all(exp.Table):
        if table is target:
            continue
        if isinstance(table.this, exp.Identifier):
            if _looks_like_file(table):
                files.add(table.name)
            elif not _is_cte(table):
                relations.add(dataset_name(table.db.lower(), table.name.lower()))
        elif isinstance(table.this, exp.Anonymous):
            functions.add(table.this.name.lower())
        elif isinstance(table.this, exp.ReadCSV | exp.ReadParquet):
            files.add(table.this.sql(dialect="duckdb"))
    functions |= {call.name.lower() for call in statement.find_all(exp.Anonymous)}
    writes: set[str] = set()
    if target is not None and not _is_temporary(statement):
        writes.add(dataset_name(target.db.lower(), target.name.lower()))
    return References(
        frozenset(relations), frozenset(functions), frozenset(files), frozenset(writes)
    )


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


def _looks_like_file(table: exp.Table) -> bool:
    quoted = bool(table.this.args.get("quoted"))
    return quoted and not table.db and ("/" in table.name or "." in table.name)


def _is_cte(table: exp.Table) -> bool:
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


def _first_line(exc: Exception) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(exc))
    return plain.strip().splitlines()[0]
