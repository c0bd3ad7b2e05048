# SPDX-License-Identifier: Apache-2.0
"""Column lineage as a graph to walk: from a relation or a column up to the raw tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.formats.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ttapi.models.lineage import LineageRow

Node = tuple[str, str | None]
"""A relation and its column; None: the relation, or its rows counted."""


@dataclass(frozen=True)
class TreeLine:
    """One node of a printed tree."""

    node: Node
    depth: int
    is_last: tuple[bool, ...]
    """For each level down to this one, whether no sibling follows there."""
    is_repeated: bool
    """True: its own upstreams stand further up already."""


class LineageGraph:
    """Who reads which column of whom."""

    def __init__(
        self, rows: Iterable[LineageRow], columns: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """`columns`: of relations that have no lineage of their own, raw tables above all."""
        self._columns: dict[str, list[str]] = {}
        self._upstreams: dict[Node, list[Node]] = {}
        self._expressions: dict[Node, str] = {}
        for row in rows:
            node = (row.relation, row.column_name)
            if node not in self._upstreams:
                self._columns.setdefault(row.relation, []).append(row.column_name)
            found = self._upstreams.setdefault(node, [])
            if row.upstream_relation is not None:
                found.append((row.upstream_relation, row.upstream_column))
            if row.expression is not None:
                self._expressions[node] = row.expression
        self._made = {relation for relation, _ in self._upstreams}
        for name, given in (columns or {}).items():
            self._columns.setdefault(name, list(given))

    @property
    def relations(self) -> list[str]:
        """Every relation, models and raw tables."""
        return sorted(self._columns)

    def find(self, text: str) -> Node:
        """The relation, or relation and column, that `text` names.

        *Raises* UsageError with the nearest name.
        """
        whole = text.strip().lower().removeprefix("main.").replace('"', "")
        if name := self._relation(whole):
            return name, None
        before, _, column = whole.rpartition(".")
        name = self._relation(before)
        if name is None:
            raise UsageError(f"{text!r} is no relation", hint=_near(whole, self._candidates(whole)))
        if column not in self._columns[name]:
            raise UsageError(
                f"{name} has no column {column!r}", hint=_near(column, self._columns[name])
            )
        return name, column

    def columns(self, relation: str) -> list[str]:
        """Its columns, in order."""
        return self._columns.get(relation, [])

    def expression(self, node: Node) -> str | None:
        """The SQL that makes a column; None for raw columns and relations."""
        return self._expressions.get(node)

    def upstreams(self, node: Node) -> list[Node]:
        """What a column reads, or which relations a relation does."""
        relation, column = node
        if column is not None:
            return self._upstreams.get(node, [])
        read = {
            up for c in self.columns(relation) for up, _ in self._upstreams.get((relation, c), [])
        }
        return [(name, None) for name in sorted(read)]

    def roots(self, node: Node) -> list[Node]:
        """The columns without upstreams that a column, or a relation's columns, end in."""
        found: set[Node] = set()
        seen: set[Node] = set()
        waiting = [node]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            above = self.upstreams(at)
            waiting.extend(above)
            if not above and at[0] not in self._made:
                found.add(at)
        return sorted(found, key=lambda n: (n[0], n[1] or ""))

    def readers(self, relation: str) -> list[str]:
        """Every relation that reads `relation`, directly or not."""
        direct: dict[str, set[str]] = {}
        for (name, _), above in self._upstreams.items():
            for up, _ in above:
                direct.setdefault(up, set()).add(name)
        found: set[str] = set()
        waiting = [relation]
        while waiting:
            for name in direct.get(waiting.pop(), ()):
                if name not in found and name != relation:
                    found.add(name)
                    waiting.append(name)
        return sorted(found)

    def tree(self, node: Node) -> Iterator[TreeLine]:
        """`node` and all it is made of, depth first; what was told once is not told again."""
        told: set[Node] = set()
        yield from self._tree(node, (), told)

    def _tree(self, node: Node, is_last: tuple[bool, ...], told: set[Node]) -> Iterator[TreeLine]:
        above = self.upstreams(node)
        is_repeated = bool(above) and node in told
        yield TreeLine(node, len(is_last), is_last, is_repeated)
        if is_repeated:
            return
        told.add(node)
        for number, upstream in enumerate(above, start=1):
            yield from self._tree(upstream, (*is_last, number == len(above)), told)

    def _relation(self, name: str) -> str | None:
        if name in self._columns:
            return name
        stems = [known for known in self._columns if known.rpartition(".")[2] == name]
        return stems[0] if len(stems) == 1 else None

    def _candidates(self, name: str) -> list[str]:
        if "." not in name:
            return list(self._columns)
        return [*self._columns, *(f"{r}.{c}" for r, given in self._columns.items() for c in given)]


def _near(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known) or "select distinct relation from lineage lists them"
