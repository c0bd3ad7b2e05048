# SPDX-License-Identifier: Apache-2.0
"""Where every column of every model comes from: the columns it reads and the SQL that makes it.

Column lineage as a graph to walk: from a relation or a column up to the raw tables.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UnknownNameError, did_you_mean
from ttapi.models.install import read_columns, read_install_note, write_note
from ttapi.models.model import macro_parts
from ttapi.models.model_cache import shipped_document
from ttapi.store.catalog import replace_lineage
from ttapi.store.catalog_rows import LineageRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ttapi.models.column_trace import Trace, UntracedColumn
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model import Model
    from ttapi.store.engine import Connection

Columns = dict[str, tuple[str, ...]]
"""Column names, lower case and in order, by dataset name."""

UNTRACED = "not traced: "
"""What `expression` begins with where the origin of a column could not be found."""

_TRACED = "lineage_of"
# Raise it when the tracing itself changes: every model is traced again then.
_VERSION = 2


def lineage_rows(
    graph: ModelGraph, columns: Mapping[str, Sequence[str]], only: Collection[str] | None = None
) -> Iterator[LineageRow]:
    """The lineage of every model of `graph`; `columns` are those of the relations the file has.

    Every output column has at least one row. A table macro's columns are those its SELECT gives; a
    scalar macro is one column of its own name, and of one that reads no relation that is all. With
    `only`, rows of these models alone.
    """
    from ttapi.models.column_trace import Trace  # noqa: PLC0415 - sqlglot takes 0.12 s

    known: Columns = {name: tuple(c.lower() for c in given) for name, given in columns.items()}
    macros = {m.stem: m.name for m in graph.models.values() if m.kind == "macro"}
    for model in graph.models.values():
        is_wanted = only is None or model.name in only
        if not is_wanted and (model.kind != "macro" or model.name in known):
            continue
        if _is_formula(graph, model):
            if is_wanted:
                text = macro_parts(model).body.strip()
                yield LineageRow(model.name, model.stem, None, None, text)
            continue
        traced = trace_model(model, known, macros)
        if isinstance(traced, Trace):
            outputs = known.setdefault(model.name, traced.columns)
        else:
            outputs = known.get(model.name, (model.stem,))
        if is_wanted:
            for column in outputs:
                yield from _of_column(model, column, traced)


def _is_formula(graph: ModelGraph, model: Model) -> bool:
    """Whether a macro makes one value of its parameters alone: there is nothing to trace, at length."""
    if model.kind != "macro" or macro_parts(model).is_table:
        return False
    behind = [graph.models.get(name) for name in graph.ancestors([model.name])]
    return all(one is not None and one.kind == "macro" for one in behind)


def trace_model(
    model: Model, known: Mapping[str, Sequence[str]], macros: Mapping[str, str]
) -> Trace | UntracedColumn:
    """The trace of `model`'s SQL; a table with a builder is what its SQL says."""
    from ttapi.models.column_trace import trace_query  # noqa: PLC0415 - sqlglot takes 0.12 s

    if model.kind != "macro":
        return trace_query(model.body, known, macros)
    macro = macro_parts(model)
    if macro.is_table:
        return trace_query(macro.body, known, macros, macro.parameters)
    text = f"select {macro.body.strip()} as {model.stem}"
    return trace_query(text, known, macros, macro.parameters)


def install_lineage(
    cursor: Connection, graph: ModelGraph, macros: Mapping[str, Sequence[str] | None]
) -> None:
    """Have catalog.lineage say where the columns of the models just installed come from.

    `macros`: the output columns of each macro, None of one that makes a value. A model is traced
    again only where it, or a column of what it reads, has changed.
    """
    columns = _all_columns(cursor, macros)
    wanted = {name: _fingerprint(graph, name, columns) for name in graph.models}
    known = read_install_note(cursor, _TRACED)
    changed = [name for name in wanted if wanted[name] != known.get(name)]
    gone = [*changed, *(known.keys() - wanted.keys())]
    if not gone:
        return
    shipped = shipped_document().get("lineage", {})
    rows = [LineageRow(name, *row) for name in changed for row in shipped.get(wanted[name], ())]
    untraced = frozenset(name for name in changed if wanted[name] not in shipped)
    rows += lineage_rows(graph, columns, untraced) if untraced else ()
    replace_lineage(cursor, gone, rows)
    write_note(cursor, _TRACED, wanted)


def lineage_to_ship(
    cursor: Connection, graph: ModelGraph, macros: Mapping[str, Sequence[str] | None]
) -> dict[str, list[tuple[str | None, ...]]]:
    """The lineage of every model, traced now, by the fingerprint it is looked up by; rows without their relation."""
    columns = _all_columns(cursor, macros)
    rows: dict[str, list[tuple[str | None, ...]]] = {name: [] for name in graph.models}
    for row in lineage_rows(graph, columns):
        relation, *rest = astuple(row)
        rows[relation].append(tuple(rest))
    return {_fingerprint(graph, name, columns): given for name, given in rows.items()}


def _all_columns(cursor: Connection, macros: Mapping[str, Sequence[str] | None]) -> Columns:
    """Columns of the file's relations, and of its macros: a scalar one is a column of its own name."""
    columns = read_columns(cursor)
    for name, outputs in macros.items():
        columns[name] = tuple(outputs or (name.rpartition(".")[2],))
    return columns


def _fingerprint(graph: ModelGraph, name: str, columns: Columns) -> str:
    """Of a model, and of all behind it that decides what its names mean."""
    digest = hashlib.blake2b(f"{_VERSION}".encode(), digest_size=8)
    for upstream in sorted({name, *graph.ancestors([name])}):
        model = graph.models.get(upstream)
        own = model.fingerprint if model and (upstream == name or model.kind == "macro") else ""
        digest.update(f"{upstream}\0{own}\0{columns.get(upstream)}\n".encode())
    return digest.hexdigest()


def _of_column(model: Model, column: str, traced: Trace | UntracedColumn) -> Iterator[LineageRow]:
    from ttapi.models.column_trace import UntracedColumn  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.models.references import TOO_DEEP  # noqa: PLC0415 - so does this

    if isinstance(traced, UntracedColumn) or column not in traced.columns:
        why = (
            traced.reason if isinstance(traced, UntracedColumn) else "its SELECT gives no such name"
        )
        yield LineageRow(model.name, column, None, None, UNTRACED + why)
        return
    try:
        text = traced.expression(column)
        origins = sorted(traced.origins(column), key=lambda o: (o.relation, o.column or ""))
    except RecursionError:
        yield LineageRow(model.name, column, None, None, UNTRACED + TOO_DEEP)
        return
    if not origins:
        yield LineageRow(model.name, column, None, None, text)
    for origin in origins:
        yield LineageRow(model.name, column, origin.relation, origin.column, text)


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

        *Raises* UnknownNameError with the nearest name.
        """
        whole = text.strip().lower().removeprefix("main.").replace('"', "")
        if name := self._relation(whole):
            return name, None
        before, _, column = whole.rpartition(".")
        name = self._relation(before)
        if name is None:
            raise UnknownNameError(
                f"{text!r} is no relation", hint=_near(whole, self._candidates(whole))
            )
        if column not in self._columns[name]:
            raise UnknownNameError(
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
        shown: set[Node] = set()
        yield from self._tree(node, (), shown)

    def _tree(self, node: Node, is_last: tuple[bool, ...], shown: set[Node]) -> Iterator[TreeLine]:
        above = self.upstreams(node)
        is_repeated = bool(above) and node in shown
        yield TreeLine(node, len(is_last), is_last, is_repeated)
        if is_repeated:
            return
        shown.add(node)
        for number, upstream in enumerate(above, start=1):
            yield from self._tree(upstream, (*is_last, number == len(above)), shown)

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
