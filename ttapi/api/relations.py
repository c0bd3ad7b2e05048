# SPDX-License-Identifier: Apache-2.0
"""The published relations and their rows a piece at a time, from one generation, for any number of threads.

Names are those of the catalog or refused, values are bound; rows of the same rank stand in the order of
the grain: pieces put together are the whole. Nothing is refreshed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from ttapi.clock import stored_instant
from ttapi.errors import UnknownNameError, UsageError, did_you_mean
from ttapi.sqltext import identifier
from ttapi.store.publish import Generation, Generations, published_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ttapi.home import Home
    from ttapi.store.rows import Rows

_COMPARED = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL\(\d+,\d+\)|VARCHAR|BOOLEAN|DATE|TIME|UUID"
    r"|TIMESTAMP( WITH TIME ZONE)?)"
)
"""Types whose values a condition can name."""
_COUNTS_KEPT = 256
_ACCOUNT = "account_number"  # in names of columns that hold one


@dataclass(frozen=True)
class RelationColumn:
    """One column of a relation, as the file declares it."""

    name: str
    type: str
    """The engine's: `DECIMAL(10,2)`."""
    comment: str | None
    """Unit, sign, what null means."""

    @property
    def is_instant(self) -> bool:
        """Whether it is declared as an instant in UTC."""
        return self.type == "TIMESTAMP" and "UTC" in (self.comment or "")

    @property
    def is_compared(self) -> bool:
        """Whether a condition can name a value of it."""
        return _COMPARED.fullmatch(self.type) is not None


@dataclass(frozen=True)
class PublishedRelation:
    """A table, view or macro of the published file."""

    name: str
    """Flat in schema main, else `derived.x`."""
    kind: str
    """raw, table, view or macro."""
    about: str | None
    grain: tuple[str, ...]
    columns: Mapping[str, RelationColumn]
    """By name, in order; of a macro none are known before it is called."""
    parameters: tuple[str, ...] = ()
    """Of a macro."""
    source: str | None = None
    ttl: str | None = None
    is_private: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it is one that users are meant to query: in schema main."""
        return "." not in self.name

    @property
    def qualified(self) -> str:
        """As SQL names it."""
        schema, _, stem = self.name.rpartition(".")
        return f"{identifier(schema or 'main')}.{identifier(stem)}"

    def without_accounts(self) -> PublishedRelation:
        """As it is where account numbers are not shown: without the columns that hold them."""
        return replace(self, columns={k: v for k, v in self.columns.items() if _ACCOUNT not in k})

    @property
    def rank(self) -> tuple[str, ...]:
        """Columns that put its rows in an order of their own: all of them where its grain may repeat."""
        is_told = bool(self.grain) and set(self.grain) <= self.columns.keys()
        return self.grain if is_told and self.kind != "raw" else tuple(self.columns)


@dataclass(frozen=True)
class RowCondition:
    """What one column of a row must be."""

    column: str
    operator: str
    """One of OPERATORS."""
    value: str | None = None
    """As text; of `in`, texts with commas between. None: the operator takes none."""


@dataclass(frozen=True)
class RowsRequest:
    """Which rows of a relation, which of its columns, in which order, from where on."""

    relation: str
    columns: tuple[str, ...] = ()
    """Empty: all."""
    conditions: tuple[RowCondition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    """Columns and whether they descend; missing values last either way."""
    offset: int = 0
    limit: int = 100
    generation: int | None = None
    """None: the newest."""
    arguments: tuple[str, ...] = ()
    """Of a table macro, in the order of its parameters."""
    hides_accounts: bool = False
    """Whether columns of account numbers are not there."""


@dataclass(frozen=True)
class RelationRows:
    """One piece of the rows of a relation."""

    relation: PublishedRelation
    columns: tuple[RelationColumn, ...]
    rows: Rows
    total: int
    """How many meet the conditions."""
    generation: int
    request: RowsRequest


def _compared(sign: str) -> Callable[[str, Sequence[str]], str]:
    return lambda column, values: f"{column} {sign} {values[0]}"


OPERATORS: Mapping[str, Callable[[str, Sequence[str]], str]] = {
    "eq": _compared("="),
    "ne": _compared("<>"),
    "lt": _compared("<"),
    "le": _compared("<="),
    "gt": _compared(">"),
    "ge": _compared(">="),
    "in": lambda column, values: f"{column} in ({', '.join(values)})",
    "contains": lambda column, values: f"contains({column}, {values[0]})",
    "starts": lambda column, values: f"starts_with({column}, {values[0]})",
    "null": lambda column, _: f"{column} is null",
    "notnull": lambda column, _: f"{column} is not null",
}
"""SQL of each, from a column and the places of its values."""
_WITHOUT_VALUE = frozenset({"null", "notnull"})
_OF_TEXT = frozenset({"contains", "starts"})


class PublishedRelations:
    """The relations of a home as they were published; close it when done."""

    def __init__(
        self,
        home: Home,
        *,
        deadline_s: float = 30.0,
        comments_of: Callable[[str], Mapping[str, str]] = lambda _: {},
        newest: Callable[[Home], int] = published_generation,
    ) -> None:
        """`comments_of`: of a macro's columns, which the file lacks. `newest`: what is read if none is named."""
        self._generations = Generations(home, newest=newest)
        self._deadline_s, self._comments_of = deadline_s, comments_of

    def close(self) -> None:
        """Let go of the published files."""
        self._generations.close()

    def newest(self) -> int:
        """The number of the newest generation; 0: none was published."""
        return self._generations.newest()

    def reading(self, generation: int | None = None) -> AbstractContextManager[Generation]:
        """Keep a generation, the newest for None, open inside the block.

        *Raises* GenerationError for one that is not held.
        """
        return self._generations.reading(generation)

    def listed(self, generation: int | None = None) -> tuple[int, Mapping[str, PublishedRelation]]:
        """A generation's number and its relations by name. *Raises* GenerationError."""
        with self.reading(generation) as found:
            return found.number, _relations(found)

    def relation(self, name: str, generation: int | None = None) -> PublishedRelation:
        """The relation of that name. *Raises* UnknownNameError with the nearest; GenerationError."""
        with self.reading(generation) as found:
            return _named(found, name)

    def rows(self, request: RowsRequest) -> RelationRows:
        """The rows that `request` asks for, and how many there are in all.

        *Raises* UnknownNameError, GenerationError; UsageError for a column that is not there and a value
        that is none of its type; QueryError, InterruptedQueryError past the deadline.
        """
        with self.reading(request.generation) as found:
            return self.rows_in(found, request)

    def rows_in(self, found: Generation, request: RowsRequest) -> RelationRows:
        """As `rows`, from a generation that is open."""
        return self._piece(found, self._asked(found, request), request)

    def select(self, request: RowsRequest) -> tuple[str, Sequence[Any]]:
        """The SELECT that `request` amounts to, and its values. *Raises* as `rows`."""
        with self.reading(request.generation) as found:
            sql, values = _Select(self._asked(found, request), request).ordered()
        return f"{sql} limit ? offset ?", (*values, request.limit, request.offset)

    def _asked(self, found: Generation, request: RowsRequest) -> PublishedRelation:
        relation = self._called(found, _named(found, request.relation), request)
        return relation.without_accounts() if request.hides_accounts else relation

    def _piece(
        self, found: Generation, relation: PublishedRelation, request: RowsRequest
    ) -> RelationRows:
        select = _Select(relation, request)
        self._refuse_wrong_values(found, select)
        counted = ("count", *select.counted())
        totals = found.facts.setdefault("totals", {})
        total = totals.get(counted)
        if total is None:
            total = found.rows(*counted[1:], deadline_s=self._deadline_s).table.column(0)[0].as_py()
            if len(totals) >= _COUNTS_KEPT:
                totals.clear()
            totals[counted] = total
        wanted = range(request.offset, request.offset + request.limit)
        rows = found.window(*select.ordered(), wanted, total, self._deadline_s)
        instants = frozenset(c.name.lower() for c in select.columns if c.is_instant)
        return RelationRows(
            relation, select.columns, rows.with_instants(instants), total, found.number, request
        )

    def _refuse_wrong_values(self, found: Generation, select: _Select) -> None:
        """Nothing, or UsageError for a value that the engine takes for none of its column's type."""
        cast = [(c, value) for c, value in select.values if c.type != "VARCHAR"]
        if not cast:
            return
        tests = ", ".join(f"try_cast(? as {c.type}) is null" for c, _ in cast)
        row = found.rows(f"select {tests}", [value for _, value in cast]).table
        for number, (column, value) in enumerate(cast):
            if row.column(number)[0].as_py():
                raise UsageError(f"{value!r} is no {column.type}, which {column.name} is")

    def _called(
        self, found: Generation, macro: PublishedRelation, request: RowsRequest
    ) -> PublishedRelation:
        """The macro as the relation that it is when it is called; what is none, as it is."""
        if macro.kind != "macro":
            return macro
        if len(request.arguments) != len(macro.parameters):
            call = f"{macro.name}({', '.join(macro.parameters)})"
            raise UsageError(
                f"{call} is a macro: it has no rows until it is called",
                hint=f"give its {len(macro.parameters)} arguments",
            )
        key = ("columns of", macro.name)
        if key not in found.lasting:
            nothing = ", ".join("null" for _ in macro.parameters)
            rows = found.rows(f"describe select * from {macro.qualified}({nothing})").table
            comments = self._comments_of(macro.name)
            found.lasting[key] = {
                name.lower(): RelationColumn(name, kind, comments.get(name.lower()))
                for name, kind, *_ in zip(*(c.to_pylist() for c in rows.columns), strict=True)
            }
        return replace(macro, columns=found.lasting[key])


class _Select:
    """The SELECT of a request: its names looked up, its values apart."""

    def __init__(self, relation: PublishedRelation, request: RowsRequest) -> None:
        self._relation = relation
        self._request = request
        wanted = request.columns or tuple(relation.columns)
        self.columns = tuple(self._column(name) for name in wanted)
        self.values: list[tuple[RelationColumn, str]] = []
        tests = [self._test(condition) for condition in request.conditions]
        self._where = f" where {' and '.join(tests)}" if tests else ""
        places = ", ".join("?" for _ in request.arguments)
        call = f"({places})" if relation.kind == "macro" else ""
        self._from = f" from {relation.qualified}{call}"

    def counted(self) -> tuple[str, tuple[str, ...]]:
        """The SELECT of how many rows there are, and its values."""
        return f"select count(*) as total{self._from}{self._where}", self._bound()

    def ordered(self) -> tuple[str, tuple[str, ...]]:
        """The SELECT of all of them, in their order, and its values."""
        names = ", ".join(identifier(column.name) for column in self.columns)
        return f"select {names}{self._from}{self._where} order by {self._order()}", self._bound()

    def _bound(self) -> tuple[str, ...]:
        return (*self._request.arguments, *(value for _, value in self.values))

    def _order(self) -> str:
        ranked = {self._column(name).name: descends for name, descends in self._request.order}
        for name in self._relation.rank:
            ranked.setdefault(self._column(name).name, False)
        return ", ".join(
            f"{identifier(name)} {'desc' if descends else 'asc'} nulls last"
            for name, descends in ranked.items()
        )

    def _column(self, name: str) -> RelationColumn:
        columns = self._relation.columns
        found = columns.get(name.lower())
        if found is None:
            hint = did_you_mean(name, columns) or f"it has {', '.join(columns)}"
            raise UsageError(f"{self._relation.name} has no column {name!r}", hint=hint)
        return found

    def _test(self, condition: RowCondition) -> str:
        column, operator = self._column(condition.column), condition.operator
        if operator not in OPERATORS:
            raise UsageError(
                f"{operator!r} compares nothing", hint=f"known: {', '.join(OPERATORS)}"
            )
        given = condition.value
        if (given is None) != (operator in _WITHOUT_VALUE):
            needs = "takes no value" if given is not None else "needs a value"
            raise UsageError(f"{column.name}:{operator} {needs}")
        texts = [] if given is None else given.split(",") if operator == "in" else [given]
        if texts and not (column.type == "VARCHAR" if operator in _OF_TEXT else column.is_compared):
            raise UsageError(f"{operator} compares no {column.type}, which {column.name} is")
        self.values += [(column, _as_stored(column, text)) for text in texts]
        place = "?" if column.type == "VARCHAR" else f"cast(? as {column.type})"
        return OPERATORS[operator](identifier(column.name), [place] * len(texts))


def _as_stored(column: RelationColumn, text: str) -> str:
    """`text` as the engine reads it: an instant with an offset as UTC without one."""
    if column.type != "TIMESTAMP":
        return text
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if instant.tzinfo is None else stored_instant(instant).isoformat()


def _named(found: Generation, name: str) -> PublishedRelation:
    relations = _relations(found)
    relation = relations.get(name.strip().lower().removeprefix("main."))
    if relation is None:
        hint = did_you_mean(name, relations) or "the list of relations has them all"
        raise UnknownNameError(f"{name!r} is no relation", hint=hint)
    return relation


_RELATIONS = """
select
    d.dataset, d.kind, d.about, d.grain, d.source, d.ttl, d.is_private,
    list({'name': c.column_name, 'type': c.data_type, 'comment': c.comment} order by c.column_index)
        filter (c.column_name is not null) as columns,
    any_value(f.parameters) as parameters
from catalog.datasets as d
left join duckdb_columns() as c
    on c.database_name = current_database()
    and if(c.schema_name = 'main', '', c.schema_name || '.') || c.table_name = d.dataset
left join (
    select if(schema_name = 'main', '', schema_name || '.') || function_name as name, parameters
    from duckdb_functions() where not internal
) as f on f.name = d.dataset
group by all
order by d.dataset
"""


def _relations(found: Generation) -> Mapping[str, PublishedRelation]:
    if "relations" not in found.lasting:
        rows = found.rows(_RELATIONS).table.to_pylist()
        found.lasting["relations"] = {row["dataset"]: _relation(row) for row in rows}
    return cast("Mapping[str, PublishedRelation]", found.lasting["relations"])


def _relation(row: Mapping[str, Any]) -> PublishedRelation:
    return PublishedRelation(
        row["dataset"],
        row["kind"],
        row["about"],
        tuple(name.strip() for name in (row["grain"] or "").split(",") if name.strip()),
        {one["name"].lower(): RelationColumn(**one) for one in row["columns"] or ()},
        tuple(row["parameters"] or ()),
        row["source"],
        row["ttl"],
        bool(row["is_private"]),
    )
