# SPDX-License-Identifier: Apache-2.0
"""Where in a SQL text its relations, macro calls and stars stand, so that other text can take their place.

The text around them stays as it was written, to the letter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import TokenType, exp

from ttapi.sqltext import identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlglot import Token

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_NAMES_ARGUMENT = {":=", "=>"}
_LEAVES_OUT = {"exclude", "except"}


@dataclass(frozen=True)
class TextSpan:
    """A stretch of a text."""

    start: int
    end: int
    """Offset behind its last character."""

    def is_within(self, other: TextSpan) -> bool:
        """Whether `other` contains it."""
        return other.start <= self.start and self.end <= other.end


@dataclass(frozen=True)
class Argument:
    """One argument of a call."""

    name: str | None
    """Lower case; None: by its position."""
    text: str


@dataclass(frozen=True)
class MacroCall:
    """A macro called: where it stands, to its closing parenthesis, and with what."""

    place: TextSpan
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Star:
    """`v.*` or `v.* exclude (...)` among the columns of a SELECT."""

    place: TextSpan
    relation: str
    """What it is qualified by, as written."""
    before: int
    """Columns that are named before it."""
    after: int


def name_span(table: exp.Table) -> TextSpan:
    """Where the name of a relation stands, its schema included."""
    return _span([table.args.get("catalog"), table.args.get("db"), table.this])


def qualifier_place(column: exp.Column) -> TextSpan:
    """Where the relation that a column is qualified by stands, its schema included."""
    return _span([column.args.get(part) for part in ("catalog", "db", "table")])


def call_of(sql: str, table: exp.Table) -> MacroCall:
    """The call that `table`, a table function in a FROM clause, is."""
    parts = [p for p in (table.args.get("catalog"), table.args.get("db")) if p]
    name = table.this
    start = min(p.meta["start"] for p in (*parts, name))
    tokens = [token for token in tokens_of(sql) if token.start > name.meta["start"]]
    inside: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth == 0:
            arguments = tuple(_argument(sql, part) for part in inside if part)
            return MacroCall(TextSpan(start, token.end + 1), arguments)
        if depth == 1 and token.token_type is TokenType.COMMA:
            inside.append([])
        elif depth > 1 or token.token_type is not TokenType.L_PAREN:
            inside[-1].append(token)
    raise ValueError(sql)


def called_names(sql: str) -> list[tuple[str, int]]:
    """Every name before an opening parenthesis, lower case, and where it stands."""
    return [
        (token.text.lower(), token.start)
        for token, after in itertools.pairwise(tokens_of(sql))
        if after.token_type is TokenType.L_PAREN
    ]


def parameter_places(
    statement: exp.Expr, parameters: Collection[str]
) -> list[tuple[TextSpan, str]]:
    """Where the parameters of a macro stand in its body: bare names, as its columns are qualified."""
    return [
        (TextSpan(column.this.meta["start"], column.this.meta["end"] + 1), column.name.lower())
        for column in statement.find_all(exp.Column)
        if not column.table
        and isinstance(column.this, exp.Identifier)
        and column.name.lower() in parameters
    ]


def is_star(projection: exp.Expr) -> bool:
    """Whether `projection` stands for several columns: `*` or `v.*`."""
    inner = projection.this if isinstance(projection, exp.Column) else projection
    return isinstance(inner, exp.Star)


def star_of(sql: str, select: exp.Expr) -> Star | None:
    """The star of `select`, a plain SELECT, which is qualified and stands in `sql`; None: every column is named."""
    for number, projection in enumerate(select.expressions):
        if is_star(projection):
            alias = projection.args["table"]
            place = TextSpan(alias.meta["start"], _end_of_star(sql, alias.meta["start"]))
            written = sql[place.start : alias.meta["end"] + 1]
            return Star(place, written, number, len(select.expressions) - number - 1)
    return None


def expand_star(sql: str, star: Star, types: Mapping[str, str]) -> str:
    """`sql` with every column that `star` stands for named and cast; `types`: of all its columns."""
    names = list(types)[star.before : len(types) - star.after]
    columns = [
        f"{star.relation}.{identifier(name)}::{types[name]} as {identifier(name)}" for name in names
    ]
    return replace_spans(sql, [(star.place, ",\n    ".join(columns))])


# One text is asked about call by call, and a long one takes milliseconds to read.
@lru_cache(maxsize=32)
def tokens_of(sql: str) -> Sequence[Token]:
    """The tokens of `sql`, each with its offsets."""
    return tuple(sqlglot.tokenize(sql, read="duckdb"))


def replace_spans(sql: str, replacements: Iterable[tuple[TextSpan, str]]) -> str:
    """`sql` with other text in some places."""
    for place, text in sorted(replacements, key=lambda one: one[0].start, reverse=True):
        sql = sql[: place.start] + text + sql[place.end :]
    return sql


def prepend_ctes(sql: str, tables: Mapping[str, str]) -> str:
    """`sql` with common table expressions in front of its own: what follows `as`, by quoted name."""
    if not tables:
        return sql
    clauses = ",\n".join(f"{name} as {select}" for name, select in tables.items())
    first, *others = tokens_of(sql)[:2]
    if first.token_type is not TokenType.WITH:
        return f"{sql[: first.start]}with\n{clauses}\n{sql[first.start :]}"
    is_recursive = bool(others) and others[0].token_type is TokenType.RECURSIVE
    at = (others[0] if is_recursive else first).end + 1
    return f"{sql[:at]}\n{clauses},{sql[at:]}"


def _span(parts: Iterable[exp.Expr | None]) -> TextSpan:
    found = [part.meta for part in parts if part is not None]
    return TextSpan(min(meta["start"] for meta in found), max(meta["end"] for meta in found) + 1)


def _end_of_star(sql: str, start: int) -> int:
    """Offset behind the star whose qualifier begins at `start`, and behind what it leaves out."""
    _, _, star, *after = [token for token in tokens_of(sql) if token.start >= start]
    if not after or after[0].text.lower() not in _LEAVES_OUT:
        return star.end + 1
    if after[1].token_type is not TokenType.L_PAREN:
        return after[1].end + 1
    return next(t.end + 1 for t in after if t.token_type is TokenType.R_PAREN)


def _argument(sql: str, tokens: Sequence[Token]) -> Argument:
    if len(tokens) > 2 and sql[tokens[1].start : tokens[1].end + 1] in _NAMES_ARGUMENT:
        name = sql[tokens[0].start : tokens[0].end + 1].strip('"').lower()
        return Argument(name, sql[tokens[2].start : tokens[-1].end + 1])
    return Argument(None, sql[tokens[0].start : tokens[-1].end + 1])
