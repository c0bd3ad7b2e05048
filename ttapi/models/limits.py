# SPDX-License-Identifier: Apache-2.0
"""What is provable of the rows a piece of SQL depends on: one limit per column of each relation read.

A limit is a conjunction of atoms. Rows outside it cannot change the answer; where nothing can be
proved there is no atom, and the whole relation is meant. Literals are kept as text: what a text
means is decided where the column's type is known. Read without the parser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.models.model import dataset_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ttapi.models.model_cache import PushdownInfo


FILE = "market"
"""The name under which a session attaches the published file."""


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


@dataclass(frozen=True, order=True)
class Write:
    """What a statement would change of a database that outlives the session."""

    name: str
    """As a dataset's (`eod`, `staged.eod`); of an index, the relation it is on."""
    kind: str = "table"
    """table, view, schema, index, sequence or macro."""
    is_new: bool = False
    """Whether it would be made, not changed."""


@dataclass(frozen=True)
class NameScope:
    """What names mean to a reader."""

    relations: Mapping[str, tuple[str, ...] | None]
    """Columns by dataset name, lower case; None: not known."""
    macros: Mapping[str, str] = field(default_factory=dict)
    """Dataset name of each macro, by bare name; its output columns stand in `relations`."""
    views: Mapping[str, str] = field(default_factory=dict)
    """The session's temporary views: their SELECT by name."""
    temporary: frozenset[str] = frozenset()
    """The session's temporary tables; they hide relations of the same name."""
    schema: str = "main"
    """Where an unqualified name is looked up first (`use staged`)."""
    row_wise: frozenset[str] = frozenset()
    """Bare names of macros that make a value of one row: they hold no aggregate."""

    def dataset(self, schema: str, name: str) -> str | None:
        """The dataset `schema.name` means; None: no dataset."""
        if not schema and name in self.temporary:
            return None
        # `market.eod` is eod of the file as a session attaches it, unless there is such a schema.
        places = [schema] if schema else [self.schema, "main"]
        for place in [*places, *(["main"] if schema == FILE else [])]:
            if (candidate := dataset_name(place, name)) in self.relations:
                return candidate
        return None


@dataclass(frozen=True)
class Resolution:
    """What a text reads and writes."""

    reads: tuple[RelationRead, ...]
    """Of datasets and macros, by name."""
    writes: frozenset[Write] = frozenset()
    """What it would create or change, unless it is temporary."""
    unresolved: tuple[str, ...] = ()
    """What was not understood, in words; those inputs are meant as a whole."""
    columns: tuple[str, ...] | None = None
    """Names of the columns the last statement gives, lower case; None where they cannot be told."""


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
