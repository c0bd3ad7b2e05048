# SPDX-License-Identifier: Apache-2.0
"""What is provable of the rows a piece of SQL depends on: one limit per column of each relation read.

A limit is a conjunction of atoms. Rows outside it cannot change the answer; where nothing can be
proved there is no atom, and the whole relation is meant. Literals are kept as text: what a text
means is decided where the column's type is known. Read without the parser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ttapi.models.model_cache import PushdownInfo


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
            "limits": {name: _atoms(limit) for name, limit in sorted(read.limits.items())},
            "arguments": {name: _atoms(limit) for name, limit in sorted(read.arguments.items())},
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


def _atoms(limit: Iterable[Atom]) -> list[list[Any]]:
    """In an order of their own: a document of the same reads is the same text."""
    return sorted(map(_to_json, limit), key=repr)


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


def upstream_reads(read: RelationRead, flow: PushdownInfo) -> tuple[RelationRead, ...]:
    """What `flow`'s relation reads when it is itself read as `read` says."""
    arguments: dict[str, Limit] = {}
    for name, limit in read.arguments.items():
        if not name.isdigit():
            arguments[name] = limit
        elif int(name) < len(flow.parameters):
            arguments[flow.parameters[int(name)]] = limit
    return tuple(bind_parameters(behind, read.limits, arguments) for behind in flow.reads)
