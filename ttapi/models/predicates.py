# SPDX-License-Identifier: Apache-2.0
"""Conditions read as limits: `=`, IN, BETWEEN, comparisons with literals, and equal columns.

What is provable of the rows a piece of SQL depends on: one limit per column of each relation read.

A limit is a conjunction of atoms. Rows outside it cannot change the answer; where nothing can be
proved there is no atom, and the whole relation is meant. Literals are kept as text: what a text
means is decided where the column's type is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


@dataclass(frozen=True)
class ValueSet:
    """The column is one of these texts."""

    values: frozenset[str]


@dataclass(frozen=True)
class ValueRange:
    """The column lies between two texts, both possible; None: open."""

    low: str | None = None
    high: str | None = None
    is_low_out: bool = False
    """True: `low` itself is not meant."""
    is_high_out: bool = False


@dataclass(frozen=True)
class SameColumn:
    """Whatever the reader asks of this output column, the column is limited to."""

    column: str


@dataclass(frozen=True)
class ParameterValue:
    """The column equals this parameter of the macro."""

    parameter: str
    is_upper: bool = False
    """True: its upper-case form."""


Atom = ValueSet | ValueRange | SameColumn | ParameterValue
Limit = frozenset[Atom]
NO_LIMIT: Limit = frozenset()


@dataclass(frozen=True)
class RelationRead:
    """One relation read, and what limits the rows that matter."""

    relation: str
    """As a dataset name; of a macro its name."""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By column, lower case; columns without a limit are left out."""
    arguments: Mapping[str, Limit] = field(default_factory=dict)
    """Of a macro: what its parameters are, by name or by position as text."""

    def __hash__(self) -> int:
        return hash((self.relation, _frozen(self.limits), _frozen(self.arguments)))


def _frozen(limits: Mapping[str, Limit]) -> frozenset[tuple[str, Limit]]:
    return frozenset(limits.items())


def bind_parameters(
    read: RelationRead, outputs: Mapping[str, Limit], arguments: Mapping[str, Limit] | None = None
) -> RelationRead:
    """`read` with what the reader asks of the output columns and parameters put in their place."""

    def atoms(limit: Limit) -> Iterator[Atom]:
        for atom in limit:
            if isinstance(atom, SameColumn):
                yield from outputs.get(atom.column, ())
            elif isinstance(atom, ParameterValue) and arguments is not None:
                yield from _given(atom, arguments.get(atom.parameter, NO_LIMIT))
            else:
                yield atom

    def all_of(limits: Mapping[str, Limit]) -> dict[str, Limit]:
        found = {name: frozenset(atoms(limit)) for name, limit in limits.items()}
        return {name: limit for name, limit in found.items() if limit}

    return RelationRead(read.relation, all_of(read.limits), all_of(read.arguments))


def _given(atom: ParameterValue, limit: Limit) -> Iterator[Atom]:
    """What an argument's limit says of a column that equals the parameter."""
    for one in limit:
        if not atom.is_upper:
            yield one
        elif isinstance(one, ValueSet):
            yield ValueSet(frozenset(value.upper() for value in one.values))
        elif isinstance(one, ParameterValue):
            yield ParameterValue(one.parameter, is_upper=True)


def values_of(limit: Limit) -> frozenset[str] | None:
    """The texts the column can be; None: any."""
    sets = [atom.values for atom in limit if isinstance(atom, ValueSet)]
    if not sets:
        return None
    return frozenset.intersection(*sets)


def either_predicate(one: Limit, other: Limit) -> Limit:
    """What holds when one of two limits does: their values together where both name some."""
    first, second = values_of(one), values_of(other)
    if first is None or second is None:
        return NO_LIMIT
    return frozenset([ValueSet(first | second)])


def reads_to_json(reads: Iterable[RelationRead]) -> list[dict[str, Any]]:
    """`reads` as JSON holds them."""
    return [
        {
            "relation": read.relation,
            "limits": {name: [_to_json(a) for a in limit] for name, limit in read.limits.items()},
            "arguments": {n: [_to_json(a) for a in limit] for n, limit in read.arguments.items()},
        }
        for read in reads
    ]


def reads_from_json(document: Iterable[Mapping[str, Any]]) -> tuple[RelationRead, ...]:
    """What `as_document` wrote. *Raises* KeyError, TypeError or ValueError for anything else."""
    return tuple(
        RelationRead(
            entry["relation"],
            {name: frozenset(map(_from_json, atoms)) for name, atoms in entry["limits"].items()},
            {name: frozenset(map(_from_json, atoms)) for name, atoms in entry["arguments"].items()},
        )
        for entry in document
    )


def _to_json(atom: Atom) -> list[Any]:
    if isinstance(atom, ValueSet):
        return ["among", *sorted(atom.values)]
    if isinstance(atom, ValueRange):
        return ["within", atom.low, atom.high, atom.is_low_out, atom.is_high_out]
    if isinstance(atom, SameColumn):
        return ["same", atom.column]
    return ["given", atom.parameter, atom.is_upper]


def _from_json(words: list[Any]) -> Atom:
    kind, *rest = words
    if kind == "among":
        return ValueSet(frozenset(rest))
    if kind == "within":
        return ValueRange(*rest)
    if kind == "same":
        return SameColumn(*rest)
    if kind == "given":
        return ParameterValue(*rest)
    raise ValueError(kind)


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
