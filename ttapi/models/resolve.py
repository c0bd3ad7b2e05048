# SPDX-License-Identifier: Apache-2.0
"""Any SQL text resolved: what it reads and with which provable limits, what it would write.

Where a statement is not understood, every relation named in it is read without limits, and the
resolution says so: widened, never narrowed, never silent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from ttapi.errors import QueryError
from ttapi.models.limits import FILE, NameScope, RelationRead, Resolution
from ttapi.models.predicates import Literals
from ttapi.models.pushdown import AnalysisContext, Block, analyse_query
from ttapi.models.references import TOO_DEEP, parse_statements, references_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SET_SCHEMA = re.compile(
    r"\s*set\s+(?:session\s+|global\s+|local\s+)?(?:schema|search_path)\s*(?:=|to)\s*(.+?)\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
# Statements about the session or the catalog: they read no dataset.
_WITHOUT_READS = (
    exp.Describe, exp.Use, exp.Set, exp.Pragma, exp.Attach, exp.Detach, exp.Show, exp.Drop, exp.Transaction,
    exp.Commit, exp.Rollback,
)  # fmt: skip
_HARMLESS_COMMANDS = {
    "call", "checkpoint", "load", "reset", "install", "deallocate", "begin", "commit", "rollback", "show", "set",
    "describe",
}  # fmt: skip


def resolve(
    sql: str,
    names: NameScope,
    *,
    bound: Mapping[str, object] | None = None,
    parameters: Sequence[str] = (),
) -> Resolution:
    """What `sql` reads: relations and macros, each with provable limits on its columns.

    `bound`: values of query parameters by name or 1-based position. `parameters`: of the macro
    whose body `sql` is.
    """
    try:
        return _resolved(sql, names, bound or {}, parameters)
    except QueryError as exc:
        return _by_name(sql, names, exc.message)
    except RecursionError:
        return _by_name(sql, names, TOO_DEEP)


def _resolved(
    sql: str, names: NameScope, bound: Mapping[str, object], parameters: Sequence[str]
) -> Resolution:
    statements = parse_statements(sql)
    literals = Literals(frozenset(parameters), _numbered(bound))
    found: list[RelationRead] = []
    doubts: list[str] = []
    columns = None
    for statement in statements:
        reads, doubt, columns = _of_statement(statement, names, literals)
        dynamic, computed = _of_dynamic(statement, names)
        found += reads + dynamic
        doubts += computed + ([doubt] if doubt else [])
    writes = references_in(sql).writes
    return Resolution(_known(found, names), writes, tuple(doubts), columns)


def _known(reads: Iterable[RelationRead], names: NameScope) -> tuple[RelationRead, ...]:
    """`reads` under their dataset names; functions of the engine left out."""
    found = [
        replace(read, relation=names.macros.get(read.relation, read.relation)) for read in reads
    ]
    return tuple(dict.fromkeys(read for read in found if read.relation in names.relations))


def default_schema(sql: str) -> str | None:
    """The schema that `use`, `set schema` or `set search_path` makes the default; None: none does."""
    if match := _SET_SCHEMA.match(sql):
        words = re.findall(r"\w+", match[1])
        return "main" if words[-1:] == [FILE] else (words[-1].lower() if words else None)
    try:
        statements = parse_statements(sql)
    except QueryError:
        return None
    (*_, last) = statements or (None,)
    table = last.this if isinstance(last, exp.Use) else None
    if not isinstance(table, exp.Table):
        return None
    return "main" if table.name.lower() == FILE else table.name.lower()


def _of_statement(
    statement: exp.Expr, names: NameScope, literals: Literals
) -> tuple[list[RelationRead], str | None, tuple[str, ...] | None]:
    """What one statement reads, what of it is in doubt, and the columns it gives."""
    if isinstance(statement, _WITHOUT_READS):
        return [], None, None
    if isinstance(statement, exp.Command):
        return *_of_command(statement, names), None
    seen: set[int] = set()
    context = _context(names, literals, seen)
    body = statement
    if isinstance(statement, exp.Create | exp.Insert) and statement.expression is not None:
        body = statement.expression
    block = analyse_query(body, context)
    reads = list(block.reads)
    target = statement.find(exp.Table) if body is not statement else None
    for table in statement.find_all(exp.Table):
        if id(table) not in seen and table is not target:
            reads.append(_whole(table, context))  # noqa: PERF401 - a condition and a call
    columns = None if block.outputs is None else tuple(o.name for o in block.outputs)
    return reads, None, columns


def _whole(table: exp.Table, context: AnalysisContext) -> RelationRead:
    """A table the analysis passed by, read without limits."""
    if isinstance(table.this, exp.Anonymous):
        return RelationRead(table.this.name.lower())
    return RelationRead(context.name_of(table) or "")


def _of_dynamic(statement: exp.Expr, names: NameScope) -> tuple[list[RelationRead], list[str]]:
    """What `query('...')` runs: resolved where its text is a literal, told where it is computed."""
    reads: list[RelationRead] = []
    doubts: list[str] = []
    for call in statement.find_all(exp.Anonymous):
        if call.name.lower() not in {"query", "query_table"} or not isinstance(
            call.parent, exp.Table
        ):
            continue
        argument = call.expressions[0] if call.expressions else None
        if not (isinstance(argument, exp.Literal) and argument.is_string):
            doubts.append(
                f"{call.sql(dialect='duckdb')} computes what it reads: everything is meant"
            )
            reads += [RelationRead(name) for name in names.relations if name.startswith("raw.")]
        elif call.name.lower() == "query":
            inner = resolve(argument.this, names)
            reads += inner.reads
            doubts += inner.unresolved
    return reads, doubts


def _of_command(statement: exp.Command, names: NameScope) -> tuple[list[RelationRead], str | None]:
    word = statement.name.lower()
    if word in _HARMLESS_COMMANDS:
        return [], None
    # The rest of the statement is an expression for some commands, plain text for others.
    rest = statement.expression
    text = f"{statement.name} {rest.name if isinstance(rest, exp.Expr) else rest or ''}"
    reads = _named_in(text, names)
    if word == "execute":
        return reads, f"{text.strip()}: what it reads was made fresh when it was prepared, not now"
    return reads, None if not reads and word != "query" else f"{word} is not taken apart"


def _by_name(sql: str, names: NameScope, why: str) -> Resolution:
    return Resolution(_known(_named_in(sql, names), names), frozenset(), (why,))


def _named_in(sql: str, names: NameScope) -> list[RelationRead]:
    """Every dataset and macro whose name stands anywhere in `sql`."""
    words = {word.lower() for word in _WORD.findall(sql)}
    found = [name for name in names.relations if name.rpartition(".")[2] in words]
    found += [name for name in names.macros if name in words]
    return [RelationRead(name) for name in dict.fromkeys(found)]


def _context(names: NameScope, literals: Literals, seen: set[int]) -> AnalysisContext:
    def name_of(table: exp.Table) -> str | None:
        return names.dataset(table.db.lower(), table.name.lower())

    def columns_of(name: str) -> tuple[str, ...] | None:
        return names.relations.get(names.macros.get(name, name))

    blocks: dict[str, Block] = {}
    for name, select in names.views.items():
        # A temporary view may build on those before it.
        inner = AnalysisContext(
            columns_of, name_of, literals, seen, dict(blocks), row_wise=names.row_wise
        )
        try:
            (parsed,) = parse_statements(select)
            blocks[name] = analyse_query(parsed, inner)
        except (QueryError, ValueError):
            blocks[name] = Block(tuple(_named_in(select, names)), None)
    return AnalysisContext(columns_of, name_of, literals, seen, blocks, row_wise=names.row_wise)


def _numbered(bound: Mapping[str, object] | None) -> Mapping[str, object] | None:
    return {str(key): value for key, value in bound.items()} if bound else None
