# SPDX-License-Identifier: Apache-2.0
"""Whether a SELECT treats the values of a column apart, so that a limit on it may pass through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttapi.models.scope import Scope

# Functions of the engine that sqlglot does not know and that look at one row only. A function in
# neither list may be an aggregate; of macros it is known which hold one.
ROW_BY_ROW = frozenset(
    (
        "bar concat contains now today get_current_timestamp random damerau_levenshtein date_diff "
        "date_sub dayname epoch epoch_ms epoch_ns epoch_us even format formatReadableSize gcd "
        "hash instr isfinite isinf isnan isodow isoyear julian lcm list_contains list_position "
        "list_value ltrim make_date make_time make_timestamp md5 millennium monthname nextafter "
        "parse_filename prefix printf regexp_full_match rtrim sha256 strip_accents strptime "
        "suffix time_bucket timezone to_days to_hours to_minutes to_months to_seconds to_years "
        "try_strptime typeof weekofyear yearweek "
    )
    .lower()
    .split()
)
_MIXING = ("limit", "offset", "fetch", "sample", "pivots", "connect", "match", "laterals")


def blocks_pushdown(node: exp.Select) -> bool:
    """Whether rows of one value can push out rows of another: LIMIT, OFFSET, samples, pivots."""
    return any(node.args.get(part) for part in _MIXING)


@dataclass(frozen=True)
class Grouping:
    """By what a SELECT brings rows together; see `grouping_of`."""

    node: exp.Select
    distinct_on: Sequence[exp.Expr] | None
    """None: no DISTINCT ON."""
    has_aggregates: bool
    partitions: Sequence[Sequence[exp.Expr]]
    """PARTITION BY of every window."""

    def keeps_separate(self, place: tuple[str, str], scope: Scope) -> bool:
        """Whether rows with one value of the column at `place` never depend on rows with another."""
        if self.distinct_on is not None and not _among(place, self.distinct_on, scope):
            return False
        if self.has_aggregates and not _is_group_key(self.node, place, scope):
            return False
        return all(_among(place, keys, scope) for keys in self.partitions)


def grouping_of(node: exp.Select, row_wise: frozenset[str] = frozenset()) -> Grouping:
    """By what `node` brings rows together, looked up once for all its columns.

    `row_wise`: macros that hold no aggregate.
    """
    distinct = node.args.get("distinct")
    on = distinct.args.get("on") if isinstance(distinct, exp.Distinct) else None
    keys = None if on is None else list(on.unnest().flatten()) if on else []
    return Grouping(node, keys, _has_aggregates(node, row_wise), list(_partitions(node)))


def _has_aggregates(node: exp.Select, row_wise: frozenset[str]) -> bool:
    if node.args.get("group") or node.args.get("having"):
        return True
    return any(may_aggregate(projection, row_wise) for projection in node.expressions)


def may_aggregate(node: exp.Expr, row_wise: frozenset[str]) -> bool:
    """Whether an aggregate, or a function that may be one, stands in `node` outside windows and subqueries."""
    if isinstance(node, exp.Query):
        return False
    if isinstance(node, exp.Window):
        return any(may_aggregate(child, row_wise) for child in node.this.iter_expressions())
    if isinstance(node, exp.Anonymous) and node.name.lower() not in ROW_BY_ROW | row_wise:
        return True
    if isinstance(node, exp.AggFunc | exp.AnonymousAggFunc | exp.WithinGroup):
        return True
    return any(may_aggregate(child, row_wise) for child in node.iter_expressions())


def _is_group_key(node: exp.Select, place: tuple[str, str], scope: Scope) -> bool:
    group = node.args.get("group")
    if not isinstance(group, exp.Group):
        return False
    if any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets", "totals")):
        return False
    if group.args.get("all") or any(
        isinstance(e, exp.Column) and e.name.lower() == "all" and not e.table
        for e in group.expressions
    ):
        # GROUP BY ALL: every output column without an aggregate; `place` is one of them.
        return True
    if any(isinstance(e, exp.Rollup | exp.Cube | exp.GroupingSets) for e in group.expressions):
        return False
    return _among(place, _resolved_positions(group.expressions, node), scope)


def _resolved_positions(keys: list[exp.Expr], node: exp.Select) -> Iterator[exp.Expr]:
    """`group by 1` as the first output column."""
    for key in keys:
        if isinstance(key, exp.Literal) and not key.is_string:
            index = int(key.this) - 1
            if 0 <= index < len(node.expressions):
                yield node.expressions[index].unalias()
        else:
            yield key


def _partitions(node: exp.Select) -> Iterator[list[exp.Expr]]:
    """PARTITION BY of every window of the SELECT, named or not."""
    named = {
        window.this.name.lower(): window
        for window in node.args.get("windows") or []
        if isinstance(window, exp.Window)
    }
    parts = [*node.expressions]
    parts += [node.args[key] for key in ("qualify", "order") if node.args.get(key)]
    for part in parts:
        for window in _windows_in(part):
            yield _keys_of(window, named)


def _windows_in(node: exp.Expr) -> Iterator[exp.Window]:
    if isinstance(node, exp.Query):
        return
    if isinstance(node, exp.Window):
        yield node
    for child in node.iter_expressions():
        yield from _windows_in(child)


def _keys_of(window: exp.Window, named: dict[str, exp.Window]) -> list[exp.Expr]:
    """The keys a window is cut by; those of the window it builds on included."""
    keys = list(window.args.get("partition_by") or [])
    base = window.args.get("alias")
    visited: set[str] = set()
    while base is not None and base.name.lower() in named and base.name.lower() not in visited:
        visited.add(base.name.lower())
        window = named[base.name.lower()]
        keys += window.args.get("partition_by") or []
        base = window.args.get("alias")
    return keys


def _among(place: tuple[str, str], keys: Iterable[exp.Expr], scope: Scope) -> bool:
    """Whether the column at `place`, or one known to be equal to it, is one of `keys`."""
    from ttapi.models.predicates import bare_column  # noqa: PLC0415 - beside its only use

    for key in keys:
        column = bare_column(key)
        found = scope.place(column) if column is not None else None
        if found is not None and (found == place or scope.are_equal(found, place)):
            return True
    return False
