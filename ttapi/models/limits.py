# SPDX-License-Identifier: Apache-2.0
"""What is provable of the rows a piece of SQL depends on: one limit per column of each relation read.

A limit is a conjunction of atoms. Rows outside it cannot change the answer; where nothing can be
proved there is no atom, and the whole relation is meant. Literals are kept as text: what a text
means is decided where the column's type is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Among:
    """The column is one of these texts."""

    values: frozenset[str]


@dataclass(frozen=True)
class Within:
    """The column lies between two texts, both possible; None: open."""

    low: str | None = None
    high: str | None = None
    is_low_out: bool = False
    """True: `low` itself is not meant."""
    is_high_out: bool = False


@dataclass(frozen=True)
class Same:
    """Whatever the reader asks of this output column, the column is limited to."""

    column: str


@dataclass(frozen=True)
class Given:
    """The column equals this parameter of the macro."""

    parameter: str
    is_upper: bool = False
    """True: its upper-case form."""


Atom = Among | Within | Same | Given
Limit = frozenset[Atom]
NO_LIMIT: Limit = frozenset()


@dataclass(frozen=True)
class Read:
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


def replaced(
    read: Read, outputs: Mapping[str, Limit], arguments: Mapping[str, Limit] | None = None
) -> Read:
    """`read` with what the reader asks of the output columns and parameters put in their place."""

    def atoms(limit: Limit) -> Iterator[Atom]:
        for atom in limit:
            if isinstance(atom, Same):
                yield from outputs.get(atom.column, ())
            elif isinstance(atom, Given) and arguments is not None:
                yield from _given(atom, arguments.get(atom.parameter, NO_LIMIT))
            else:
                yield atom

    def all_of(limits: Mapping[str, Limit]) -> dict[str, Limit]:
        found = {name: frozenset(atoms(limit)) for name, limit in limits.items()}
        return {name: limit for name, limit in found.items() if limit}

    return Read(read.relation, all_of(read.limits), all_of(read.arguments))


def _given(atom: Given, limit: Limit) -> Iterator[Atom]:
    """What an argument's limit says of a column that equals the parameter."""
    for one in limit:
        if not atom.is_upper:
            yield one
        elif isinstance(one, Among):
            yield Among(frozenset(value.upper() for value in one.values))
        elif isinstance(one, Given):
            yield Given(one.parameter, is_upper=True)


def values_of(limit: Limit) -> frozenset[str] | None:
    """The texts the column can be; None: any."""
    sets = [atom.values for atom in limit if isinstance(atom, Among)]
    if not sets:
        return None
    return frozenset.intersection(*sets)


def either(one: Limit, other: Limit) -> Limit:
    """What holds when one of two limits does: their values together where both name some."""
    first, second = values_of(one), values_of(other)
    if first is None or second is None:
        return NO_LIMIT
    return frozenset([Among(first | second)])


def as_document(reads: Iterable[Read]) -> list[dict[str, Any]]:
    """`reads` as JSON holds them."""
    return [
        {
            "relation": read.relation,
            "limits": {name: [_told(a) for a in limit] for name, limit in read.limits.items()},
            "arguments": {n: [_told(a) for a in limit] for n, limit in read.arguments.items()},
        }
        for read in reads
    ]


def from_document(document: Iterable[Mapping[str, Any]]) -> tuple[Read, ...]:
    """What `as_document` wrote. *Raises* KeyError, TypeError or ValueError for anything else."""
    return tuple(
        Read(
            entry["relation"],
            {name: frozenset(map(_heard, atoms)) for name, atoms in entry["limits"].items()},
            {name: frozenset(map(_heard, atoms)) for name, atoms in entry["arguments"].items()},
        )
        for entry in document
    )


def _told(atom: Atom) -> list[Any]:
    if isinstance(atom, Among):
        return ["among", *sorted(atom.values)]
    if isinstance(atom, Within):
        return ["within", atom.low, atom.high, atom.is_low_out, atom.is_high_out]
    if isinstance(atom, Same):
        return ["same", atom.column]
    return ["given", atom.parameter, atom.is_upper]


def _heard(words: list[Any]) -> Atom:
    kind, *rest = words
    if kind == "among":
        return Among(frozenset(rest))
    if kind == "within":
        return Within(*rest)
    if kind == "same":
        return Same(*rest)
    if kind == "given":
        return Given(*rest)
    raise ValueError(kind)
