# SPDX-License-Identifier: Apache-2.0
"""The FROM clause of one SELECT: its sources, which columns are equal, and where limits travel.

A limit travels along an equality from one side of a join to the other only where rows that fail it
cannot reach the answer: both ways in inner joins, from the kept side to the other in outer ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from ttapi.models.predicates import Conjunct, Literals, conjuncts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.models.limits import Limit, RelationRead

ColumnRef = tuple[str, str]
"""A column: its source's alias, its name; both lower case."""


@dataclass(frozen=True)
class FromItem:
    """One thing in the FROM clause."""

    alias: str
    columns: tuple[str, ...] | None
    """None: not known."""
    reads: tuple[RelationRead, ...]
    known: Mapping[str, Limit] = field(default_factory=dict)
    """What is provable of its columns' values."""


@dataclass
class Scope:
    """The sources of one SELECT and what holds of their columns."""

    literals: Literals
    sources: dict[str, FromItem] = field(default_factory=dict)
    edges: set[tuple[ColumnRef, ColumnRef]] = field(default_factory=set)
    """From a column to one that its limits hold for too."""
    limits: dict[ColumnRef, set[object]] = field(default_factory=dict)
    merged: dict[str, ColumnRef | None] = field(default_factory=dict)
    """Columns joined by USING: the side that speaks for them; None: neither."""
    only: dict[str, frozenset[str]] = field(default_factory=dict)
    """Sources of which only these columns may be limited (the right side of an ASOF join)."""
    hidden: set[str] = field(default_factory=set)
    """Sources whose columns the answer has not (the right side of SEMI and ANTI joins)."""
    is_opaque: bool = False
    """Whether rows are paired by position: nothing can be proved then."""

    def place(self, column: exp.Column) -> ColumnRef | None:
        """Where `column` lives; None: not here, or not certain."""
        name, table = column.name.lower(), column.table.lower()
        if table:
            return (table, name) if table in self.sources and self._may_have(table, name) else None
        if name in self.merged:
            return self.merged[name]
        holders = [a for a, s in self.sources.items() if s.columns and name in s.columns]
        unknown = [a for a, s in self.sources.items() if s.columns is None]
        if len(holders) == 1 and not unknown:
            return holders[0], name
        if not holders and len(unknown) == 1 and len(self.sources) == 1:
            return unknown[0], name
        return None

    def _may_have(self, alias: str, name: str) -> bool:
        columns = self.sources[alias].columns
        return columns is None or name in columns

    def limit(self, place: ColumnRef, limit: Limit) -> None:
        """Note what holds of the column at `place`."""
        self.limits.setdefault(place, set()).update(limit)

    def hold(self, one: Conjunct, outer: Callable[[exp.Column], Limit] | None = None) -> None:
        """Note a condition that every row of the answer meets."""
        place = self.place(one.column)
        if one.equals is None:
            if place is not None:
                self.limit(place, one.limit)
            return
        other = self.place(one.equals)
        if place is not None and other is not None:
            self.edges |= {(place, other), (other, place)}
        elif outer is not None:
            if place is not None:
                self.limit(place, outer(one.equals))
            elif other is not None:
                self.limit(other, outer(one.column))

    def are_equal(self, one: ColumnRef, other: ColumnRef) -> bool:
        """Whether both columns hold the same value in every row that has both."""
        return (one, other) in self.edges and (other, one) in self.edges

    def closed(self) -> dict[str, dict[str, Limit]]:
        """Limits by source and column, carried along every edge."""
        if self.is_opaque:
            return {}
        found = {place: set(atoms) for place, atoms in self.limits.items()}
        for alias, source in self.sources.items():
            for name, limit in source.known.items():
                found.setdefault((alias, name), set()).update(limit)
        is_moving = True
        while is_moving:
            is_moving = False
            for start, end in self.edges:
                missing = found.get(start, set()) - found.get(end, set())
                if missing:
                    found.setdefault(end, set()).update(missing)
                    is_moving = True
        limits: dict[str, dict[str, Limit]] = {}
        for (alias, name), atoms in found.items():
            if alias not in self.only or name in self.only[alias]:
                limits.setdefault(alias, {})[name] = frozenset(atoms)  # type: ignore[arg-type]  # atoms only
        return limits

    def expanded(self, star: exp.Star, table: str) -> Iterable[tuple[str, ColumnRef | None]] | None:
        """The columns `*` or `table.*` stands for, each with where it lives; None: not known."""
        aliases = [table] if table else [a for a in self.sources if a not in self.hidden]
        if any(a not in self.sources or self.sources[a].columns is None for a in aliases):
            return None
        left_out = {e.name.lower() for e in star.args.get("except_") or []}
        computed = {e.alias.lower() for e in star.args.get("replace") or []}
        renamed = {
            e.this.name.lower(): e.alias.lower()
            for e in star.args.get("rename") or []
            if isinstance(e, exp.Alias)
        }
        found: list[tuple[str, ColumnRef | None]] = []
        listed: set[str] = set()
        for alias in aliases:
            for name in self.sources[alias].columns or ():
                if name in left_out or (not table and name in self.merged and name in listed):
                    continue
                listed.add(name)
                place: ColumnRef | None = (alias, name)
                if not table and name in self.merged:
                    place = self.merged[name]
                found.append((renamed.get(name, name), None if name in computed else place))
        return found


def from_scope(
    node: exp.Select, source_of: Callable[[exp.Expr], FromItem], literals: Literals
) -> Scope:
    """The scope of `node`: its sources, and what its joins say."""
    scope = Scope(literals)
    clause = node.args.get("from_")
    if isinstance(clause, exp.Expr):
        _take(clause.this, scope, source_of)
    for join in node.args.get("joins") or []:
        left = tuple(scope.sources)
        source = _take(join.this, scope, source_of)
        _join(join, left, source.alias, scope)
    return scope


def _take(node: exp.Expr, scope: Scope, source_of: Callable[[exp.Expr], FromItem]) -> FromItem:
    source = source_of(node)
    if source.alias in scope.sources:
        # Two sources of one name cannot be told apart: both are read, neither is limited.
        source = FromItem(f"{source.alias} {len(scope.sources)}", None, source.reads)
    scope.sources[source.alias] = source
    return source


def _join(join: exp.Join, left: Sequence[str], right: str, scope: Scope) -> None:
    """Note what one join says of the source `right` and of those in `left` before it."""
    side, kind, method = join.side.upper(), join.kind.upper(), join.method.upper()
    if method == "POSITIONAL" or kind not in {"", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"}:
        scope.is_opaque = True
        return
    if kind in {"SEMI", "ANTI"}:
        scope.hidden.add(right)
    kept = _Kept(side in {"LEFT", "FULL"} or kind in {"SEMI", "ANTI"}, side in {"RIGHT", "FULL"})
    equal = _conditions(join, right, scope, kept) + _using(join, left, right, scope, side)
    for near, far in equal:
        is_across = far[0] == right and near[0] != right
        if not kept.right and (is_across or not kept.left):
            scope.edges.add((near, far))
        if not kept.left and (is_across or not kept.right):
            scope.edges.add((far, near))
    if method == "ASOF":
        # Which row is the nearest depends on rows a later filter leaves out.
        scope.only[right] = frozenset(far[1] for near, far in equal if far[0] == right)


@dataclass(frozen=True)
class _Kept:
    """Which sides of a join keep rows that match nothing."""

    left: bool
    right: bool


def _conditions(
    join: exp.Join, right: str, scope: Scope, kept: _Kept
) -> list[tuple[ColumnRef, ColumnRef]]:
    """Equal columns of the ON clause, those of `right` second; its limits are noted in the scope."""
    equal: list[tuple[ColumnRef, ColumnRef]] = []
    for one in conjuncts(join.args.get("on"), scope.literals):
        place = scope.place(one.column)
        if place is None:
            continue
        other = scope.place(one.equals) if one.equals is not None else None
        if other is not None:
            equal.append((other, place) if place[0] == right else (place, other))
        elif one.equals is None and not (kept.right if place[0] == right else kept.left):
            scope.limit(place, one.limit)
    return equal


def _using(
    join: exp.Join, left: Sequence[str], right: str, scope: Scope, side: str
) -> list[tuple[ColumnRef, ColumnRef]]:
    names = [identifier.name.lower() for identifier in join.args.get("using") or []]
    if join.method.upper() == "NATURAL":
        names = _shared(left, right, scope)
    pairs = []
    for name in names:
        near = scope.merged.get(name) or next(
            ((a, name) for a in left if name in (scope.sources[a].columns or ())), None
        )
        if near is None and len(left) == 1 and scope.sources[left[0]].columns is None:
            near = (left[0], name)
        far = (right, name)
        if near is not None:
            pairs.append((near, far))
        speaks = {"RIGHT": far, "FULL": None}.get(side, near)
        scope.merged[name] = speaks
    return pairs


def _shared(left: Sequence[str], right: str, scope: Scope) -> list[str]:
    """Columns a NATURAL JOIN joins by; nothing can be proved where some columns are not known."""
    columns = [scope.sources[alias].columns for alias in (*left, right)]
    if any(c is None for c in columns):
        scope.is_opaque = True
        return []
    others = {name for c in columns[:-1] for name in c or ()}
    return [name for name in columns[-1] or () if name in others]
