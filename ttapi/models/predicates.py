# SPDX-License-Identifier: Apache-2.0
"""Conditions read as limits: `=`, IN, BETWEEN, comparisons with literals, and equal columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

from ttapi.models.limits import (
    NO_LIMIT,
    Atom,
    Limit,
    ParameterValue,
    ValueRange,
    ValueSet,
    either_predicate,
)

# A cast between these keeps order and equality at the precision a limit has: whole days, plain text.
_PLAIN_TYPES = (
    exp.DataType.Type.TEXT,
    exp.DataType.Type.VARCHAR,
    exp.DataType.Type.DATE,
    exp.DataType.Type.TIMESTAMP,
    exp.DataType.Type.TIMESTAMPNTZ,
)
_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
    exp.NullSafeEQ: exp.NullSafeEQ,
}


@dataclass(frozen=True)
class Literals:
    """What stands for a known value besides literals: macro parameters, bound query parameters."""

    parameters: frozenset[str] = frozenset()
    """Names of the macro's parameters; each replaces any bare name."""
    bound: Mapping[str, object] | None = None
    """Query parameters by name or 1-based position as text."""


@dataclass(frozen=True)
class Conjunct:
    """One condition that holds of every row: a limited column, or two equal ones."""

    column: exp.Column
    limit: Limit = NO_LIMIT
    equals: exp.Column | None = None


def conjuncts(condition: exp.Expr | None, literals: Literals) -> Iterator[Conjunct]:
    """What `condition` says of single columns, as far as it can be proved."""
    if condition is None:
        return
    node = condition.unnest()
    if isinstance(node, exp.And):
        yield from conjuncts(node.left, literals)
        yield from conjuncts(node.right, literals)
    elif isinstance(node, exp.Or):
        yield from _either_side(node, literals)
    elif isinstance(node, exp.Between):
        column = bare_column(node.this, literals.parameters)
        low, high = _text(node.args["low"], literals), _text(node.args["high"], literals)
        if column is not None and (low is not None or high is not None):
            yield Conjunct(column, frozenset([ValueRange(low, high)]))
    elif isinstance(node, exp.In):
        yield from _in(node, literals)
    elif type(node) in _MIRRORED:
        yield from _comparison(node, literals)


def bare_column(
    node: exp.Expr | None, parameters: Collection[str] = frozenset()
) -> exp.Column | None:
    """The column that `node` is, plain casts and parentheses aside."""
    while isinstance(node, exp.Paren) or (isinstance(node, exp.Cast) and _is_plain(node)):
        node = node.this
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return None
    if not node.table and node.name.lower() in parameters:
        return None
    return node


def atom_of(node: exp.Expr, literals: Literals) -> Limit:
    """What a value is known to be: a literal, or a parameter of the macro."""
    plain = node.unnest()
    is_upper = isinstance(plain, exp.Upper)
    inner = plain.this if is_upper else plain
    text = _text(inner, literals)
    if text is not None:
        return frozenset([ValueSet(frozenset([text.upper() if is_upper else text]))])
    while isinstance(inner, exp.Cast | exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Column) and not inner.table:
        name = inner.name.lower()
        if name in literals.parameters:
            return frozenset([ParameterValue(name, is_upper)])
    return NO_LIMIT


def _comparison(node: exp.Expr, literals: Literals) -> Iterator[Conjunct]:
    left, right = node.this, node.expression
    left_column = bare_column(left, literals.parameters)
    right_column = bare_column(right, literals.parameters)
    if left_column is not None and right_column is not None:
        if isinstance(node, exp.EQ):
            yield Conjunct(left_column, equals=right_column)
        return
    kind = type(node)
    if left_column is None:
        left_column, right, kind = right_column, left, _MIRRORED[kind]
    if left_column is None:
        return
    if kind in (exp.EQ, exp.NullSafeEQ):
        if limit := atom_of(right, literals):
            yield Conjunct(left_column, limit)
        return
    text = _text(right, literals)
    if text is not None:
        is_low = kind in (exp.GT, exp.GTE)
        is_out = kind in (exp.GT, exp.LT)
        atom: Atom = (
            ValueRange(low=text, is_low_out=is_out)
            if is_low
            else ValueRange(high=text, is_high_out=is_out)
        )
        yield Conjunct(left_column, frozenset([atom]))


def _in(node: exp.In, literals: Literals) -> Iterator[Conjunct]:
    column = bare_column(node.this, literals.parameters)
    if column is None or node.args.get("query") or node.args.get("unnest"):
        return
    if len(node.expressions) == 1 and (limit := atom_of(node.expressions[0], literals)):
        yield Conjunct(column, limit)
        return
    texts = [_text(item, literals) for item in node.expressions]
    if texts and None not in texts:
        yield Conjunct(column, frozenset([ValueSet(frozenset(t for t in texts if t is not None))]))


def _either_side(node: exp.Or, literals: Literals) -> Iterator[Conjunct]:
    """`a = 1 or a = 2` limits `a`; a side that says nothing of it leaves it free."""
    sides = []
    for side in (node.left, node.right):
        found: dict[tuple[str, str], Conjunct] = {}
        for one in conjuncts(side, literals):
            if one.limit:
                found.setdefault((one.column.table.lower(), one.column.name.lower()), one)
        sides.append(found)
    for key in sides[0].keys() & sides[1].keys():
        limit = either_predicate(sides[0][key].limit, sides[1][key].limit)
        if limit:
            yield Conjunct(sides[0][key].column, limit)


def _text(node: exp.Expr, literals: Literals) -> str | None:
    plain = node.unnest()
    while isinstance(plain, exp.Cast) and _is_plain(plain):
        plain = plain.this.unnest()
    # A number compared with a text makes a number of the text: '05' = 5. Only texts are provable.
    if isinstance(plain, exp.Literal) and plain.is_string:
        return str(plain.this)
    if isinstance(plain, exp.Parameter | exp.Placeholder) and literals.bound:
        value = literals.bound.get(str(plain.name))
        return str(value) if isinstance(value, str | date) else None
    return None


def _is_plain(cast: exp.Cast) -> bool:
    return not isinstance(cast, exp.TryCast) and cast.to.this in _PLAIN_TYPES
