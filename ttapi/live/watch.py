# SPDX-License-Identifier: Apache-2.0
"""A query watched: run again when what it reads has changed, and told by the rows that differ.

The shell's `WATCH select ...` and the daemon's sockets share it. What only time changes, such as an
age, is no reason to run again.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from ttapi.refresh.planner import closure
from ttapi.refresh.query import plan_query
from ttapi.store.rows import ResultColumn, Rows, ValueType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from ttapi.home import Home
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.query import QueryRequest

_COSTS_APART = 10
"""A query is run again no sooner than so many times what it took the last time."""
_KEY_PARTS = 6
"""Columns of a key at most."""
_CHANGE = ResultColumn("difference", ValueType("VARCHAR", "varchar"))


@dataclass(frozen=True)
class RowDifference:
    """How one answer differs from the one before; the order of rows is not compared."""

    gone: tuple[int, ...] = ()
    """Places in the answer before."""
    added: tuple[int, ...] = ()
    """Places in the answer after."""
    changed: tuple[tuple[int, int], ...] = ()
    """Places before and after of rows that share a key."""

    def __bool__(self) -> bool:
        return bool(self.gone or self.added or self.changed)


def row_difference(before: pa.Table, after: pa.Table) -> RowDifference:
    """The rows that are in one table only, paired where a key tells them apart.

    Rows are equal when every value is; NaN equals NaN, and rows that repeat count as often as they are
    there. The key is the fewest first columns, floating ones passed over, that tell the rows of each
    table apart. Tables of other columns have no row in common.
    """
    if before.schema.types != after.schema.types or before.column_names != after.column_names:
        return RowDifference(tuple(range(before.num_rows)), tuple(range(after.num_rows)))
    codes = [_codes(*pair) for pair in zip(before.columns, after.columns, strict=True)]
    rows = list(zip(*codes, strict=True)) if codes else [()] * (before.num_rows + after.num_rows)
    old, new = rows[: before.num_rows], rows[before.num_rows :]
    unmatched = defaultdict[tuple[object, ...], list[int]](list)
    for place in reversed(range(len(old))):
        unmatched[old[place]].append(place)
    added = [place for place, row in enumerate(new) if not _taken(unmatched, row)]
    gone = sorted(place for places in unmatched.values() for place in places)
    key = _key_columns(after.schema, old, new)
    if key is None:
        return RowDifference(tuple(gone), tuple(added))
    return _paired({_part(old[n], key): n for n in gone}, {_part(new[n], key): n for n in added})


def _taken(unmatched: Mapping[tuple[object, ...], list[int]], row: tuple[object, ...]) -> bool:
    """Whether an equal row was left, which is left no more."""
    places = unmatched.get(row)
    if not places:
        return False
    places.pop()
    return True


def _paired(
    gone: Mapping[tuple[object, ...], int], added: Mapping[tuple[object, ...], int]
) -> RowDifference:
    """The difference of rows by key."""
    both = gone.keys() & added.keys()
    return RowDifference(
        tuple(place for key, place in gone.items() if key not in both),
        tuple(place for key, place in added.items() if key not in both),
        tuple((gone[key], place) for key, place in added.items() if key in both),
    )


def _codes(before: pa.ChunkedArray, after: pa.ChunkedArray) -> list[object]:
    """A number for each value of both, equal for equal ones."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    values = pa.chunked_array([*before.chunks, *after.chunks], before.type)
    if pa.types.is_nested(values.type):
        return [repr(value) for value in values.to_pylist()]
    numbers = values.combine_chunks().dictionary_encode()
    if isinstance(numbers, pa.ChunkedArray):
        numbers = numbers.combine_chunks()
    found: list[object] = numbers.indices.to_pylist()
    return found


def _key_columns(
    schema: pa.Schema, old: Sequence[tuple[object, ...]], new: Sequence[tuple[object, ...]]
) -> tuple[int, ...] | None:
    """The columns that tell rows apart; None: no such columns."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    places = [n for n, one in enumerate(schema.types) if not pa.types.is_floating(one)][:_KEY_PARTS]
    for count in range(len(places) + 1):
        key = tuple(places[:count])
        if all(len({_part(row, key) for row in rows}) == len(rows) for rows in (old, new)):
            return key
    return None


def _part(row: tuple[object, ...], columns: tuple[int, ...]) -> tuple[object, ...]:
    return tuple(row[n] for n in columns)


def picked_rows(rows: Rows, places: Sequence[int]) -> Rows:
    """The rows of `rows` at these places, in their order."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    table = rows.table.take(pa.array(places, pa.int64()))
    return replace(rows, table=table, total=table.num_rows, given=rows.columns)


def difference_rows(before: Rows | None, after: Rows, found: RowDifference) -> Rows:
    """The difference as rows: a column `difference` (gone, before and after, added), then the answer's.

    A row that has changed stands twice, as it was and as it is. `before` None: every row is added.
    """
    import pyarrow as pa  # noqa: PLC0415 - as above

    parts = [("added", picked_rows(after, found.added))]
    if before is not None and before.table.schema.equals(after.table.schema):
        pairs = [
            (word, picked_rows(rows, [pair[n] for pair in found.changed]).table.slice(i, 1))
            for i in range(len(found.changed))
            for n, (word, rows) in enumerate((("before", before), ("after", after)))
        ]
        gone = picked_rows(before, found.gone).table
        named = [("gone", gone), *pairs, ("added", parts[0][1].table)]
    else:
        named = [("added", parts[0][1].table)]
    words = [word for word, table in named for _ in range(table.num_rows)]
    names = [_CHANGE.name, *after.table.column_names]
    whole = pa.concat_tables([table for _, table in named])
    table = pa.Table.from_arrays([pa.array(words, pa.string()), *whole.columns], names=names)
    return replace(after, table=table, total=table.num_rows, given=(_CHANGE, *after.columns))


@dataclass(frozen=True)
class InputVersions:
    """What a query reads, as it stood at one moment; equal ones have equal answers."""

    versions: Mapping[str, tuple[str, str]]
    """By dataset, to the roots: of its content, and of the code that made it."""
    generation: int | None = None
    """Of a query about the catalog, which every publication changes; None: of any other."""


def input_versions(environment: Environment, request: QueryRequest) -> InputVersions:
    """Versions of everything `request` reads; nothing is refreshed. *Raises* as `plan_query`."""
    plan = plan_query(environment, request)
    states = environment.home_state.states
    names = closure(environment.datasets, plan.targets)
    versions = {
        name: (states[name].version, states[name].fingerprint) for name in names if name in states
    }
    is_any = plan.reads_catalog or bool(plan.unresolved)
    return InputVersions(versions, environment.home_state.generation if is_any else None)


def publication_mark(home: Home) -> tuple[str, int]:
    """What moves with every publication, cheap to look at."""
    left_at = 0
    with suppress(OSError):
        left_at = home.state_file.stat().st_mtime_ns
    return os.path.realpath(home.public_file), left_at


@dataclass(frozen=True)
class WatchedAnswer:
    """What one run gave."""

    rows: Rows
    seconds: float
    """Of the query itself: what it costs again each time."""


@dataclass
class WatchedQuery:
    """One query and its last answer; one thread at a time looks."""

    mark: Callable[[], object]
    """Moves when something may have changed."""
    inputs: Callable[[], InputVersions]
    run: Callable[[], WatchedAnswer]
    clock: Callable[[], float] = monotonic
    rows: Rows | None = None
    """The last answer; None: there was none."""
    before: Rows | None = None
    """The one before it."""
    _marked: object = field(default=None, repr=False)
    _seen: InputVersions | None = field(default=None, repr=False)
    _again_at: float = field(default=float("-inf"), repr=False)

    def look(self) -> RowDifference | None:
        """How the answer differs, run again where an input has changed; None: it was not run.

        The first answer is all added. *Raises* what `inputs` and `run` raise; the next look tries again
        once something may have changed.
        """
        if self.clock() < self._again_at or (mark := self.mark()) == self._marked:
            return None
        self._marked = mark
        inputs = self.inputs()
        if inputs == self._seen:
            return None
        began = self.clock()
        try:
            answer = self.run()
        except BaseException:
            self._rest(self.clock() - began)
            raise
        self._rest(answer.seconds)
        self._seen = inputs
        self.before, self.rows = self.rows, answer.rows
        if self.before is None:
            return RowDifference(added=tuple(range(answer.rows.table.num_rows)))
        return row_difference(self.before.table, answer.rows.table)

    def _rest(self, cost_s: float) -> None:
        self._again_at = self.clock() + _COSTS_APART * cost_s
