# SPDX-License-Identifier: Apache-2.0
"""One SELECT taken apart by sqlglot: which columns of which relations each output column is made of.

Common table expressions, subqueries and set operations are followed; what an output column reads
is what stands in its expression, named windows included. Joins and filters decide which rows there
are, not where a column comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import MappingSchema, exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.tokenizer_core import TokenType

from ttapi.errors import QueryError
from ttapi.models.model import dataset_name
from ttapi.models.references import TOO_DEEP, parse_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TEXT = "projection_text"
_CAST_TO = re.compile(r"\s*::\s*[\w ]+$")
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_BEFORE = {TokenType.COMMA, TokenType.SELECT, TokenType.DISTINCT}


@dataclass(frozen=True)
class SourceColumn:
    """A column of a relation outside the SELECT; column None: its rows are counted."""

    relation: str
    column: str | None


@dataclass(frozen=True)
class UntracedColumn:
    """A SELECT that could not be taken apart."""

    reason: str


@dataclass(frozen=True)
class InputExpression:
    """One step of a formula: a column of a common table expression, and the SQL that makes it."""

    name: str
    expression: str


class Trace:
    """A SELECT taken apart."""

    def __init__(self, root: Scope) -> None:
        self._root = root
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._found: dict[tuple[int, str], frozenset[SourceColumn]] = {}
        self.columns = tuple(name.lower() for name in _outputs(root))

    def origins(self, column: str) -> frozenset[SourceColumn]:
        """What the output column `column` is made of."""
        found = self._origins(self._root, column)
        read = {origin.relation for origin in found if origin.column}
        return frozenset(o for o in found if o.column or o.relation not in read)

    def expression(self, column: str) -> str:
        """The SQL that makes the output column; of a set operation, that of each branch."""
        texts = [_text(projection) for _, projection in self._projections(self._root, column)]
        return " | ".join(dict.fromkeys(texts))

    def ingredients(self, column: str) -> list[InputExpression]:
        """The inner columns behind an output column, nearest first; mere renamings left out."""
        found: dict[InputExpression, None] = {}
        waiting = self._projections(self._root, column)
        seen: set[tuple[int, str]] = set()
        while waiting:
            scope, projection = waiting.pop(0)
            for name, inner in self._inner(projection, scope):
                if (id(inner), name) in seen:
                    continue
                seen.add((id(inner), name))
                for deeper, made in self._projections(inner, name):
                    if not isinstance(_bare(made), exp.Column):
                        found[InputExpression(name, _text(made))] = None
                    waiting.append((deeper, made))
        return list(found)

    def is_passed_on(self, column: str) -> bool:
        """Whether `column` is one column of one relation, unchanged."""
        at, name = self._root, column
        for _ in self._scopes:
            made = self._projections(at, name)
            bare = _bare(made[0][1]) if len(made) == 1 else None
            if not isinstance(bare, exp.Column):
                return False
            source = _source(bare, made[0][0])
            if not isinstance(source, Scope):
                return source is not None
            at, name = source, bare.name.lower()
        return False

    def _origins(self, scope: Scope, column: str) -> frozenset[SourceColumn]:
        key = (id(scope), column)
        if key not in self._found:
            self._found[key] = frozenset()  # a recursive expression adds nothing by reading itself
            self._found[key] = frozenset(self._walk(scope, column))
        return self._found[key]

    def _walk(self, scope: Scope, column: str) -> Iterator[SourceColumn]:
        if isinstance(scope.expression, exp.UDTF):
            yield from self._of_expression(scope.expression, scope)
            return
        for inner, projection in self._projections(scope, column):
            yield from self._of_expression(projection, inner)
            for window in _named_windows(projection, inner):
                yield from self._of_expression(window, inner)

    def _of_expression(self, node: exp.Expr, scope: Scope) -> Iterator[SourceColumn]:
        for column in node.find_all(exp.Column):
            source = _source(column, self._scope_of(column, scope))
            if isinstance(source, Scope):
                yield from self._origins(source, column.name.lower())
            elif source is not None:
                yield SourceColumn(_dataset(source), column.name.lower())
        for star in node.find_all(exp.Star):
            if isinstance(star.parent, exp.Count):
                yield from self._counted(self._scope_of(star, scope))

    def _counted(self, scope: Scope) -> Iterator[SourceColumn]:
        for _, source in scope.selected_sources.values():
            if isinstance(source, Scope):
                for inner in source.set_operation_scopes or [source]:
                    yield from self._counted(inner)
            else:
                yield SourceColumn(_dataset(source), None)

    def _inner(self, node: exp.Expr, scope: Scope) -> Iterator[tuple[str, Scope]]:
        for column in node.find_all(exp.Column):
            source = _source(column, self._scope_of(column, scope))
            if isinstance(source, Scope):
                yield column.name.lower(), source

    def _scope_of(self, node: exp.Expr, scope: Scope) -> Scope:
        select = node.find_ancestor(exp.Select)
        return self._scopes.get(id(select), scope) if select is not None else scope

    def _projections(self, scope: Scope, column: str) -> list[tuple[Scope, exp.Expr]]:
        """The expressions that make a scope's output column, each with the scope it stands in."""
        names = [name.lower() for name in _outputs(scope)]
        if column not in names:
            return []
        place = names.index(column)
        found: list[tuple[Scope, exp.Expr]] = []
        for branch in _branches(scope):
            selects = branch.expression.selects if isinstance(branch.expression, exp.Query) else []
            if place < len(selects):
                found.append((branch, selects[place]))
        return found


def trace_query(
    sql: str,
    known: Mapping[str, Sequence[str]],
    macros: Mapping[str, str],
    parameters: Sequence[str] = (),
) -> Trace | UntracedColumn:
    """`sql` taken apart.

    `known` gives the columns of relations and table macros by dataset name, `macros` the dataset
    of a macro by its bare name, `parameters` the names that stand for values.
    """
    try:
        statement = parse_statements(sql)[0].copy()
        _keep_texts(statement, sql)
        _settle_names(statement, macros, frozenset(parameters))
        qualified = qualify(
            statement,
            dialect="duckdb",
            db="main",
            schema=_schema_of(statement, known),
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
        )
        root = build_scope(qualified)
    except RecursionError:
        return UntracedColumn(TOO_DEEP)
    except (SqlglotError, QueryError, KeyError, AttributeError) as exc:
        return UntracedColumn(str(exc).strip().splitlines()[0] or type(exc).__name__)
    return Trace(root) if root is not None else UntracedColumn("it is no SELECT")


def _schema_of(statement: exp.Expr, known: Mapping[str, Sequence[str]]) -> MappingSchema:
    """Columns of the relations that `statement` names: the whole schema takes longer than all else."""
    schema: dict[str, object] = {}
    # Every table has it, and no star gives it.
    hidden = ["rowid"] if any(c.name == "rowid" for c in statement.find_all(exp.Column)) else []
    for table in statement.find_all(exp.Table):
        place, stem = table.db.lower() or "main", table.name.lower()
        columns = known.get(dataset_name(place, stem))
        if columns is not None:
            stems = schema.setdefault(place, {})
            assert isinstance(stems, dict)
            stems[stem] = dict.fromkeys([*columns, *hidden], "unknown")
    return MappingSchema(schema, dialect="duckdb", normalize=False)


def _branches(scope: Scope) -> list[Scope]:
    if not scope.set_operation_scopes:
        return [scope]
    return [leaf for branch in scope.set_operation_scopes for leaf in _branches(branch)]


def _outputs(scope: Scope) -> Sequence[str]:
    expression = scope.expression
    return list(expression.named_selects) if isinstance(expression, exp.Query) else ()


def _source(column: exp.Column, scope: Scope) -> exp.Expr | Scope | None:
    """The table or inner SELECT a qualified column belongs to; None: unknown, or no relation."""
    at: Scope | None = scope
    while at is not None:
        source = at.sources.get(column.table)
        if isinstance(source, Scope):
            return source
        if isinstance(source, exp.Table):
            return source if isinstance(source.this, exp.Identifier) else None
        at = at.parent
    return None


def _dataset(table: exp.Expr) -> str:
    assert isinstance(table, exp.Table)
    return dataset_name(table.db.lower(), table.name.lower())


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Alias | exp.Cast | exp.Paren):
        node = node.this
    return node


def _named_windows(node: exp.Expr, scope: Scope) -> Iterator[exp.Expr]:
    used = {w.alias.lower() for w in node.find_all(exp.Window) if w.alias}
    if used:
        for window in scope.expression.args.get("windows") or ():
            if window.name.lower() in used:
                yield window


def _settle_names(
    statement: exp.Expr, macros: Mapping[str, str], parameters: frozenset[str]
) -> None:
    """Calls of table macros become relations, parameters become plain words."""
    for table in list(statement.find_all(exp.Table)):
        call = table.this
        if isinstance(call, exp.Anonymous) and call.name.lower() in macros:
            schema, _, stem = macros[call.name.lower()].rpartition(".")
            table.set("this", exp.to_identifier(stem))
            table.set("db", exp.to_identifier(schema or "main"))
    for column in list(statement.find_all(exp.Column)):
        if not column.table and column.name.lower() in parameters:
            column.replace(exp.var(column.name))


def _keep_texts(statement: exp.Expr, sql: str) -> None:
    """Note on each named projection how it is written."""
    tokens = sqlglot.tokenize(sql, read="duckdb")
    places = {token.start: number for number, token in enumerate(tokens)}
    for select in statement.find_all(exp.Select):
        for projection in select.expressions:
            if not isinstance(projection, exp.Alias):
                continue
            end = places.get(projection.args["alias"].meta.get("start"))
            if end is None:
                continue
            last = end - 2 if tokens[end - 1].token_type == TokenType.ALIAS else end - 1
            first, depth = last, 0
            while first >= 0 and (depth or tokens[first].token_type not in _BEFORE):
                kind = tokens[first].token_type
                depth += (kind in _CLOSING) - (kind in _OPENING)
                first -= 1
            if 0 <= first < last:
                written = sql[tokens[first + 1].start : tokens[last].end + 1]
                projection.meta[_TEXT] = _tidy(
                    written, is_cast=isinstance(projection.this, exp.Cast)
                )


def _text(projection: exp.Expr) -> str:
    kept = projection.meta.get(_TEXT)
    return str(kept) if kept else _bare(projection).sql(dialect="duckdb")


def _tidy(written: str, *, is_cast: bool) -> str:
    """One line, without comments and without the outermost cast."""
    text = " ".join(re.sub(r"--[^\n]*", "", written).split())
    if is_cast:
        text = _CAST_TO.sub("", text)
    return text[1:-1].strip() if text.startswith("(") and _is_one_group(text) else text


def _is_one_group(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return False
    return True
