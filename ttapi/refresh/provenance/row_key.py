# SPDX-License-Identifier: Apache-2.0
"""A row of a relation found by its key, as a person types it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.store.reader import Reader

_LISTED = 20
_NEAREST = 5
_ORDERED = re.compile(r"DATE|TIMESTAMP|INTEGER|BIGINT|SMALLINT|HUGEINT|DOUBLE|FLOAT|DECIMAL")


class NoRowError(UsageError):
    """No row has the key."""


@dataclass(frozen=True)
class Condition:
    """One column and the text it must equal."""

    column: str
    value: str


@dataclass(frozen=True)
class FoundRow:
    """The one row a key names."""

    key: tuple[Condition, ...]
    values: Mapping[str, Any]
    """By column, in order."""
    types: Mapping[str, str]
    """The engine's type of each column."""


def find_row(reader: Reader, relation: str, grain: Sequence[str], words: Sequence[str]) -> FoundRow:
    """The row of `relation` that `words` name: values of the grain in order, or column=value.

    *Raises* UsageError for words that are no key, listing the keys that match where several do;
    NoRowError with the nearest where none does.
    """
    types = column_types(reader, relation)
    conditions = _conditions(relation, grain, words, types)
    where = " and ".join(f"{quoted_name(c.column)} = {_literal(c, types)}" for c in conditions)
    rows = _rows(reader, f"select * from {relation} where {where or 'true'} limit {_LISTED + 1}")
    if not rows:
        raise NoRowError(
            f"{relation} has no row with {told_key(conditions)}",
            hint=_nearest(reader, relation, conditions, types),
        )
    if len(rows) > 1:
        total = _rows(reader, f"select count(*) as n from {relation} where {where or 'true'}")
        told = f"have {told_key(conditions)}" if conditions else "are there"
        raise UsageError(
            f"{total[0]['n']:,} rows of {relation} {told}; name one",
            hint=_listed(rows, [name for name in grain if name in types] or list(types)),
        )
    return FoundRow(tuple(conditions), rows[0], types)


def column_types(reader: Reader, relation: str) -> dict[str, str]:
    """The engine's type by column, in order."""
    rows = _rows(reader, f"describe select * from {relation}")
    return {str(row["column_name"]).lower(): str(row["column_type"]) for row in rows}


def told_key(conditions: Sequence[Condition]) -> str:
    """`symbol AAPL, lookback 20`."""
    return ", ".join(f"{c.column} {c.value}" for c in conditions) or "a key"


def quoted_name(column: str) -> str:
    """A column as SQL."""
    return '"' + column.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """A text as SQL; beside a column the engine reads it as the column's type."""
    return "'" + text.replace("'", "''") + "'"


def _conditions(
    relation: str, grain: Sequence[str], words: Sequence[str], types: Mapping[str, str]
) -> list[Condition]:
    named, plain = [], []
    for word in words:
        before, equals, after = word.partition("=")
        if equals and before.strip().lower() in types:
            named.append(Condition(before.strip().lower(), after.strip()))
        elif equals and before.strip().isidentifier():
            raise UsageError(
                f"{relation} has no column {before.strip()!r}", hint=f"it has {', '.join(types)}"
            )
        else:
            plain.append(word)
    taken = {condition.column for condition in named}
    free = [name for name in grain if name not in taken and name in types]
    if len(plain) > len(free):
        keys = ", ".join(grain)
        told = f"its key is {keys}" if keys else "it names no grain: give column=value"
        raise UsageError(
            f"{relation}: {len(plain)} values are more than the key has places", hint=told
        )
    return [*(Condition(c, v) for c, v in zip(free, plain, strict=False)), *named]


def _literal(condition: Condition, types: Mapping[str, str]) -> str:
    return f"{quoted_text(condition.value)}::{types[condition.column]}"


def _nearest(
    reader: Reader, relation: str, conditions: Sequence[Condition], types: Mapping[str, str]
) -> str:
    """The values nearest to the first one that leaves no row."""
    kept: list[str] = []
    for condition in conditions:
        column = quoted_name(condition.column)
        test = f"{column} = {_literal(condition, types)}"
        where = " and ".join([*kept, test])
        if _rows(reader, f"select 1 as one from {relation} where {where} limit 1"):
            kept.append(test)
            continue
        before = " and ".join(kept) or "true"
        far = _distance(condition, types)
        rows = _rows(
            reader,
            f"select {column}::varchar as value from {relation} where {before} and {column} is not null"
            f" group by {column} order by {far}, 1 limit {_NEAREST}",
        )
        near = ", ".join(str(row["value"]) for row in rows)
        return f"nearest {condition.column}: {near}" if near else f"{relation} is empty there"
    return f"{relation} is empty"


def _distance(condition: Condition, types: Mapping[str, str]) -> str:
    column = quoted_name(condition.column)
    kind = types[condition.column]
    if kind == "VARCHAR":
        return f"levenshtein(upper({column}), upper({quoted_text(condition.value)}))"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"abs(epoch({column}) - epoch({_literal(condition, types)}))"
    return f"abs({column} - {_literal(condition, types)})" if _ORDERED.match(kind) else "1"


def _listed(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    told = [" ".join(str(row[name]) for name in columns) for row in rows[:_LISTED]]
    more = "\n       ..." if len(rows) > _LISTED else ""
    return f"{', '.join(columns)}:\n       " + "\n       ".join(told) + more


def _rows(reader: Reader, sql: str) -> list[dict[str, Any]]:
    try:
        found = reader.run(sql)
    except QueryError as exc:
        first = exc.message.strip().splitlines()[0]
        if first.startswith("Conversion Error"):
            raise UsageError(first, hint="dates are written 2024-06-21") from exc
        raise
    assert found is not None
    rows: list[dict[str, Any]] = found.table.to_pylist()
    return [{name.lower(): value for name, value in row.items()} for row in rows]
