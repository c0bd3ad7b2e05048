# SPDX-License-Identifier: Apache-2.0
"""The answer of one statement, and its values as the engine itself writes them.

Every output shows the engine's cast to text. It puts lines of csv and JSON together, a batch at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb

from ttapi.errors import InterruptedQueryError, QueryError
from ttapi.sqltext import literal
from ttapi.store.engine import engine_errors, spare_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from ttapi.store.engine import Connection

_BATCH = 100_000
"""Rows that become lines at a time."""
_WHOLE = frozenset({
    "tinyint", "smallint", "integer", "bigint", "hugeint", "bignum",
    "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint",
})  # fmt: skip
_FLOATING = frozenset({"float", "double"})
_NOT_IN_ARROW = frozenset(
    {"uhugeint", "bignum", "bit", "time with time zone", "interval", "union", "tuple"}
)
"""What Arrow would not bring back as it was: intervals reach further than it counts, tuples have no names."""
_UNQUOTED = _WHOLE | _FLOATING | {"decimal", "boolean", "date", "uuid"}
"""Whose text holds nothing that a csv would have to quote."""
_HUGE, _UUID = frozenset({"hugeint"}), frozenset({"uuid"})
_DECIMAL_DIGITS = 38


@dataclass(frozen=True)
class ValueType:
    """An engine's type, taken apart."""

    text: str
    """As the engine names it: `DECIMAL(10,2)`."""
    id: str
    parts: tuple[tuple[str, ValueType], ...] = ()
    """Of a nested type: its fields, its element, or key and value."""

    def holds(self, ids: frozenset[str]) -> bool:
        """Whether it, or a part of it, is one of `ids`."""
        return self.id in ids or any(part.holds(ids) for _, part in self.parts)


@dataclass(frozen=True)
class ResultColumn:
    """One column of an answer."""

    name: str
    type: ValueType
    is_instant: bool = False
    """Whether ttapi declares it as an instant in UTC; what a query computes is none."""

    @property
    def is_number(self) -> bool:
        """Whether values stand at the right."""
        return self.type.id in _WHOLE | _FLOATING | {"decimal"}

    @property
    def is_text(self) -> bool:
        """Whether it travels as the engine's text."""
        return self.type.holds(_NOT_IN_ARROW)


@dataclass(frozen=True)
class Rows:
    """The answer of one statement."""

    table: pa.Table
    """The rows kept: all, or the first `keep_rows`; what Arrow cannot carry as its text."""
    total: int
    """Rows the statement gave, kept or not."""
    given: tuple[ResultColumn, ...] = ()
    """The columns as the engine described them; (): as `table` has them."""
    engine: Connection | None = field(default=None, repr=False, compare=False)
    """The connection that answered: a TIMESTAMPTZ is written in its time zone."""

    @property
    def is_cut(self) -> bool:
        """Whether rows were left out."""
        return bool(self.table.num_rows < self.total)

    @cached_property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The columns, in order."""
        if self.given:
            return self.given
        relation = self._relation()
        types = [value_type(kind) for kind in relation.types]
        return tuple(map(ResultColumn, self.table.column_names, types))

    @property
    def unique_names(self) -> list[str]:
        """Names of the columns, one that comes again numbered as the engine does: `a`, `a_1`, `A_2`."""
        taken, times = [], dict[str, int]()
        for name in (column.name for column in self.columns):
            free = name
            while free.lower() in times:
                free = f"{name}_{times[name.lower()]}"
                times[name.lower()] += 1
            times[free.lower()] = 1
            taken.append(free)
        return taken

    def head(self, count: int) -> Rows:
        """The first rows; they are as many in total as before."""
        return replace(self, table=self.table.slice(0, count), given=self.columns)

    def with_instants(self, names: frozenset[str]) -> Rows:
        """The same, those of `names` that hold a TIMESTAMP being instants."""
        found = [
            replace(c, is_instant=c.type.id == "timestamp" and c.name.lower() in names)
            for c in self.columns
        ]
        return replace(self, given=tuple(found))

    def texts(self, zone: str) -> list[list[str | None]]:
        """The rows as the engine writes them, instants in `zone`; None: no value."""
        shown = [
            _in_zone(f"c{i}", zone) if column.is_instant else f"c{i}::varchar"
            for i, column in enumerate(self.columns)
        ]
        table = self._projected(shown)
        return [list(row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]

    def csv_lines(
        self, separator: str = ",", null: str = "", escape: Callable[[str], str] | None = None
    ) -> Iterator[memoryview]:
        """The rows as lines of csv (RFC 4180) in blocks; no value is `null`, an empty text `""`.

        `escape`: SQL of what is done to a text before it is quoted.
        """
        cells = [
            _csv_cell(f"c{i}", column, separator, null, escape)
            for i, column in enumerate(self.columns)
        ]
        return self._lines([*_between(cells, literal(separator)), "chr(10)"])

    def json_lines(self, before: str = "", after: str = "\n") -> Iterator[memoryview]:
        """The rows as JSON objects in blocks, each between `before` and `after`."""
        pairs = [
            f"{literal(json_text(name) + ': ')} || {_json_value(f'c{i}', column)}"
            for i, (name, column) in enumerate(zip(self.unique_names, self.columns, strict=True))
        ]
        return self._lines([literal(before + "{"), *_between(pairs, "', '"), literal("}" + after)])

    def count_nonfinite(self) -> int:
        """How many rows hold a NaN or an infinity, which JSON has no word for."""
        tests = [
            test
            for i, c in enumerate(self.columns)
            if not c.is_text and (test := _is_nonfinite(f"c{i}", c.type))
        ]
        return int(self._aggregated(f"count(*) filter ({' or '.join(tests)})")) if tests else 0

    def exact_table(self, *, is_parquet: bool = False) -> tuple[pa.Table, list[str]]:
        """The rows under names that are told apart, and the names of columns that are their text.

        Text is what the format has no type for that brings every value back.
        """
        names = self.unique_names
        turned = {
            i
            for i, c in enumerate(self.columns)
            if not c.is_text and self._is_lost(i, c, is_parquet=is_parquet)
        }
        table = self.table
        for i in turned:
            text = self._projected([f"c{i}::varchar"]).column(0)
            table = table.set_column(i, names[i], text)
        texts = [
            name
            for i, name in enumerate(names)
            if i in turned
            or self.columns[i].is_text
            or (is_parquet and self.columns[i].type.holds(_UUID))
        ]
        return table.rename_columns(names), texts

    def frame_table(self) -> pa.Table:
        """The rows for a data frame: names told apart, an interval without months as a duration."""
        table, names = self.table, self.unique_names
        for i, column in enumerate(self.columns):
            if column.type.id == "interval":
                table = table.set_column(i, names[i], self._durations(i))
        return table.rename_columns(names)

    def _durations(self, i: int) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

        span = f"c{i}::interval"
        months = f"datepart('year', {span}) * 12 + datepart('month', {span})"
        try:
            table = self._projected([f"epoch_us({span})", months])
            is_plain = not any(table.column(1).to_pylist())
        except InterruptedQueryError:
            raise
        except QueryError:
            is_plain = False
        return table.column(0).cast(pa.duration("us")) if is_plain else self.table.column(i)

    def _is_lost(self, i: int, column: ResultColumn, *, is_parquet: bool) -> bool:
        if column.type.id != "hugeint":
            return is_parquet and (column.type.id == "null" or column.type.holds(_HUGE))
        return (self._aggregated(f"max(length(ltrim(c{i}::varchar, '-')))") or 0) > _DECIMAL_DIGITS

    def _relation(self) -> duckdb.DuckDBPyRelation:
        """The rows as a relation, its columns c0, c1, ..., of the types they were given in."""
        numbered = self.table.rename_columns([f"c{i}" for i in range(self.table.num_columns)])
        try:
            found = (self.engine or spare_cursor()).from_arrow(numbered)
        except duckdb.ConnectionException:  # closed since: its answer can still be shown
            found = spare_cursor().from_arrow(numbered)
        if not any(column.type.holds(_HUGE) for column in self.given):
            return found
        # Arrow carries it as a decimal, which has no text for the outermost values.
        casts = [
            f"c{i}::{c.type.text} as c{i}" if c.type.holds(_HUGE) and not c.is_text else f"c{i}"
            for i, c in enumerate(self.given)
        ]
        return found.project(", ".join(casts))

    def _aggregated(self, sql: str) -> Any:
        with engine_errors():
            return self._relation().aggregate(sql).fetchall()[0][0]

    def _projected(self, expressions: Sequence[str]) -> pa.Table:
        named = ", ".join(f"{sql} as p{i}" for i, sql in enumerate(expressions))
        with engine_errors():
            return self._relation().project(named).to_arrow_table()

    def _lines(self, parts: Sequence[str]) -> Iterator[memoryview]:
        if not self.table.num_rows:
            return
        with engine_errors():
            relation = self._relation().project(f"{' || '.join(parts)} as line")
            with relation.to_arrow_reader(_BATCH) as reader:
                for batch in reader:
                    yield _bytes_of(batch.column(0))


def columns_of(relation: duckdb.DuckDBPyRelation) -> tuple[ResultColumn, ...]:
    """The columns of what the engine is about to answer."""
    return tuple(
        ResultColumn(name, value_type(kind))
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )


def with_arrow_types(
    relation: duckdb.DuckDBPyRelation, columns: Sequence[ResultColumn]
) -> duckdb.DuckDBPyRelation:
    """`relation`, what Arrow would not bring back turned to text: by position, for names may repeat."""
    if not any(column.is_text for column in columns):
        return relation
    return relation.project(
        ", ".join(f"#{i}::varchar" if c.is_text else f"#{i}" for i, c in enumerate(columns, 1))
    )


def value_type(kind: Any) -> ValueType:
    """The engine's description of a type, taken apart."""
    text, name = str(kind), kind.id
    text = f"NULL{text[6:]}" if text.startswith('"NULL"') else text
    if name not in {"list", "array", "struct", "map", "union"}:
        return ValueType(text, "json" if text == "JSON" else name)
    parts = [
        (label, value_type(part))
        for label, part in kind.children
        if not isinstance(part, int | str)
    ]
    is_tuple = name == "struct" and not all(label for label, _ in parts)
    return ValueType(text, "tuple" if is_tuple else name, tuple(parts))


def json_text(text: str) -> str:
    """`text` as JSON quotes it."""
    import json  # noqa: PLC0415 - the first prompt does not need it

    return json.dumps(text, ensure_ascii=False)


def _between(parts: Sequence[str], separator: str) -> list[str]:
    joined = [separator] * (2 * len(parts) - 1)
    joined[::2] = parts
    return joined


def _in_zone(value: str, zone: str) -> str:
    local, text = f"timezone({literal(zone)}, timezone('UTC', {value}))", f"{value}::varchar"
    shown = f"coalesce(try({local})::varchar, {text})"
    return f"case when isfinite({value}) then {shown} else {text} end"


def _csv_cell(
    value: str, column: ResultColumn, separator: str, null: str, escape: Callable[[str], str] | None
) -> str:
    if column.is_instant:
        return f"coalesce({_iso_instant(value)}, {literal(null)})"
    text = f"{value}::varchar"
    if column.type.id in _UNQUOTED and separator in {",", ";", "\t", "|"} and not null:
        return f"coalesce({text}, '')"
    if escape is not None and not column.is_number:
        text = escape(text)
    marks = [f"contains({text}, {literal(mark)})" for mark in (separator, '"', "\n", "\r")]
    tests = [f"{text} = ''", *([f"{text} = {literal(null)}"] if null else []), *marks]
    quoted = f"chr(34) || replace({text}, chr(34), repeat(chr(34), 2)) || chr(34)"
    return (
        f"coalesce(case when {' or '.join(tests)} then {quoted} else {text} end, {literal(null)})"
    )


def _json_value(value: str, column: ResultColumn) -> str:
    if column.is_instant:
        return f"""coalesce('"' || {_iso_instant(value)} || '"', 'null')"""
    is_quoted = column.is_text and not column.is_number
    kind = ValueType("VARCHAR", "varchar") if is_quoted else column.type
    return f"coalesce({_json(value, kind)}, 'null')"


def _iso_instant(value: str) -> str:
    text = f"{value}::varchar"
    return f"case when isfinite({value}) then replace({text}, ' ', 'T') || 'Z' else {text} end"


def _json(value: str, kind: ValueType, depth: int = 0) -> str:
    """SQL for the JSON text of `value`; NULL where it has no value."""
    if kind.id in _FLOATING:
        return f"case when isfinite({value}) then {value}::varchar end"
    if kind.id in _WHOLE | {"decimal", "boolean", "json"}:
        return f"{value}::varchar"
    if kind.id in {"list", "array"}:
        each = f"e{depth}"
        return _joined(value, value, each, _part(each, kind.parts[0][1], depth + 1), "[]")
    if kind.id == "map":
        entry = f"e{depth}"
        key, inner = (f"struct_extract({entry}, '{part}')" for part in ("key", "value"))
        pair = f"{_quoted(key)} || ': ' || {_part(inner, kind.parts[1][1], depth + 1)}"
        return _joined(value, f"map_entries({value})", entry, pair, "{}")
    if kind.id == "struct" and all(name for name, _ in kind.parts):
        fields = [
            f"{literal(json_text(name) + ': ')} || {_part(f'struct_extract({value}, {literal(name)})', part, depth)}"
            for name, part in kind.parts
        ]
        return f"case when {value} is not null then '{{' || {' || '.join(_between(fields, literal(', ')))} || '}}' end"
    return _quoted(value)


def _joined(value: str, values: str, name: str, each: str, ends: str) -> str:
    inner = f"array_to_string(list_transform({values}, lambda {name}: {each}), ', ')"
    return f"case when {value} is not null then '{ends[0]}' || coalesce({inner}, '') || '{ends[1]}' end"


def _part(value: str, kind: ValueType, depth: int) -> str:
    return f"coalesce({_json(value, kind, depth)}, 'null')"


def _quoted(value: str) -> str:
    return f"to_json({value}::varchar)::varchar"


def _is_nonfinite(value: str, kind: ValueType, depth: int = 0) -> str | None:
    """SQL for whether `value` holds a number that is none; None: its type has no such numbers."""
    if kind.id in _FLOATING:
        return f"not isfinite({value})"
    if not kind.holds(_FLOATING):
        return None
    if kind.id in {"list", "array", "map"}:
        each, part = f"e{depth}", kind.parts[-1][1]
        values = f"map_values({value})" if kind.id == "map" else value
        test = _is_nonfinite(each, part, depth + 1)
        return f"coalesce(list_bool_or(list_transform({values}, lambda {each}: coalesce({test}, false))), false)"
    tests = [
        _is_nonfinite(f"struct_extract({value}, {literal(name)})", part, depth)
        for name, part in kind.parts
        if name
    ]
    return f"({' or '.join(f'coalesce({test}, false)' for test in tests if test)})"


def _bytes_of(lines: pa.Array) -> memoryview:
    """The texts of an Arrow array one after the other, as they lie in memory."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    _, offsets, data = lines.buffers()
    ends = pa.Array.from_buffers(pa.int32(), len(lines) + 1, [None, offsets], offset=lines.offset)
    return memoryview(data)[ends[0].as_py() : ends[len(lines)].as_py()]
