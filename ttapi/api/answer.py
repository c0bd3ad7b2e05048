# SPDX-License-Identifier: Apache-2.0
"""What a query gives: the rows of one statement; who watches meanwhile; the frames of the caller that it reads.

What operations give as JSON documents: the same from the command line and over HTTP.
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import polars as pl
    import pyarrow as pa

    from ttapi.audit.why import Explanation
    from ttapi.formats.chart import Drawing
    from ttapi.models.lineage import LineageGraph, Node
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.freshness import StatusRow
    from ttapi.refresh.query import PreparedQuery
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.writer import Progress
    from ttapi.store.lock import OnWait
    from ttapi.store.reader import Reader
    from ttapi.store.rows import Rows
    from ttapi.store.statements import Statement


@dataclass(frozen=True)
class Watchers:
    """Who is told and asked while inputs are refreshed."""

    progress: Progress | None = None
    on_wait: OnWait = None
    confirm: Callable[[str], bool] | None = None
    """Asked when the refresh would exceed its budget; None: refused then."""
    on_prepared: Callable[[PreparedQuery], None] | None = None
    """Told what was refreshed, before the statement runs."""


@dataclass(frozen=True)
class Answer:
    """What one statement gave."""

    statement: Statement
    rows: Rows | None
    """None: the statement has no answer."""
    prepared: PreparedQuery
    seconds: float
    """Of the statement itself, without the refresh before it."""
    zone: str = "America/New_York"
    """Where instants are shown to people: `[display] timezone`."""

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table. *Raises* UsageError where there are none."""
        return self._given.table

    @property
    def _given(self) -> Rows:
        if self.rows is None:
            raise UsageError(f"{self.statement.kind} gives no rows")
        return self.rows

    def pl(self) -> pl.DataFrame:
        """Return the rows as a Polars frame."""
        import polars as pl  # noqa: PLC0415 - a third of a second

        frame = pl.from_arrow(self._given.frame_table())
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def df(self) -> Any:
        """Return the rows as a pandas frame; pandas must be installed."""
        return self._given.frame_table().to_pandas()

    def chart(self, kind: str = "line", x: str | None = None, y: str | None = None) -> Drawing:
        """Return the rows drawn as text: line, bar, hist, scatter or candle."""
        from ttapi.formats.chart import Drawing, draw_chart  # noqa: PLC0415 - pyarrow and plotext, for charts only

        return Drawing(draw_chart(self.arrow(), kind, x, y))

    def __len__(self) -> int:
        return self.rows.total if self.rows else 0

    def _repr_html_(self) -> str:
        """Return the first rows for a notebook, saying how many there are."""
        from ttapi.formats.text import notebook_html  # noqa: PLC0415 - for notebooks only

        if self.rows is None:
            return f"<p>{self.statement.kind.lower()}: no rows</p>"
        return notebook_html(self.rows, self.zone)

    def __repr__(self) -> str:
        """Return the first rows as a table, saying how many there are."""
        from ttapi.formats.text import prompt_text  # noqa: PLC0415 - for Python prompts only

        if self.rows is None:
            return f"{self.statement.kind.lower()}: no rows"
        return prompt_text(self.rows, self.zone)

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        """Write the first rows where a prompt shows a value."""
        del is_cycle  # rows hold no answers
        printer.text(repr(self))


@dataclass(frozen=True)
class Status:
    """How fresh everything is, and what was asked of the network for it."""

    rows: Sequence[StatusRow]
    traffic: Mapping[str, str]
    """By source, what the last command asked of it, in words."""
    universe_error: str | None
    """Why `[universe] default` names nobody; None: it is well, or not set."""
    sources: Mapping[str, str]
    """By raw dataset, the source that fills it."""
    is_as_published: bool = True
    """Whether the published file is what was published."""
    stream: str | None = None
    """What records streams at this moment, in words; None: nothing does."""


@contextmanager
def frames_in_scope(
    reader: Reader, relations: Collection[str], sql: str, variables: Mapping[str, Any]
) -> Iterator[None]:
    """Register with `reader`, inside the block, the frames among `variables` that `sql` names.

    One that is called like one of `relations` is not meant; who gets an error is told how to mean it.
    """
    taken = {*relations, *reader.temporary_tables()}
    named = named_frames(sql, variables)
    scanned = [name for name in named if name.lower() not in taken]
    for name in scanned:
        reader.register(name, variables[name])
    try:
        yield
    except QueryError as exc:
        hidden = [n for n in named if n not in scanned and n.lower() in relations]
        ways = [f"register({name!r}, {name}) has it read your frame" for name in hidden]
        exc.hint = "; ".join(filter(None, [exc.hint, *ways])) or None
        raise
    finally:
        for name in scanned:
            reader.unregister(name)


def named_frames(sql: str, variables: Mapping[str, Any]) -> list[str]:
    """Names in `variables` of frames (pandas, Polars, Arrow) that `sql` reads as relations."""
    from ttapi.models.references import references_in  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.store.reader import is_frame  # noqa: PLC0415 - brings the engine

    frames = {name.lower(): name for name, value in variables.items() if is_frame(value)}
    if not frames:
        return []
    try:
        relations = references_in(sql).relations
    except QueryError:
        # Told by the engine, in its turn.
        return []
    return [frames[name] for name in sorted(relations & frames.keys())]


def status_document(row: StatusRow) -> dict[str, Any]:
    """How fresh one dataset is; instants as ISO 8601, ages in seconds."""
    return {
        "dataset": row.dataset,
        "verdict": row.verdict,
        "reasons": list(row.reasons),
        "age_s": None if row.age_s is None else round(row.age_s, 3),
        "ttl_s": None if row.ttl_s is None else round(row.ttl_s, 3),
        "last_load_at": iso_instant(row.last_load_at),
        "due_at": iso_instant(row.due_at),
    }


def plan_document(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """What a refresh would do: an entry a slice, or a dataset that has none."""
    return [
        {
            "dataset": step.dataset,
            "slice": unit,
            "reasons": list(step.reasons),
            "calls": 1 if step.calls else 0,
        }
        for step in steps
        if step.action != "none"
        for unit in (step.slices or (None,))
    ]


def outcome_document(outcome: RefreshOutcome) -> dict[str, Any]:
    """What a refresh did, an entry a dataset."""
    return {
        "load_id": outcome.load_id,
        "generation": outcome.generation,
        "datasets": [
            {
                "dataset": d.dataset,
                "verdict": d.verdict,
                "reasons": list(d.reasons),
                "rows_in": d.rows_in,
                "rows_accepted": d.rows_accepted,
                "rows_refused": d.rows_refused,
                "source_calls": d.source_calls,
                "slices_held": d.slices_held,
                "seconds": round(d.seconds, 3),
                "error": d.error or ("; ".join(d.failed_units) or None),
            }
            for d in outcome.datasets
        ],
    }


def lineage_document(graph: LineageGraph, node: Node, environment: Environment) -> dict[str, Any]:
    """Where a relation, or one column of it, comes from: what each column reads, and the roots it ends in."""
    relation, column = node
    names = [column] if column else graph.columns(relation)
    return {
        "relation": relation,
        "column": column,
        "columns": [_column_document(graph, (relation, name), environment) for name in names],
        "read_by": graph.readers(relation),
    }


def _column_document(graph: LineageGraph, node: Node, environment: Environment) -> dict[str, Any]:
    from ttapi.audit.replay import filler_of  # noqa: PLC0415 - status comes without the engine

    roots = []
    for relation, column in graph.roots(node):
        filler = filler_of(environment, relation)
        roots.append(
            {
                "relation": relation,
                "column": column,
                "source": filler.source if filler else None,
                "setting": filler.setting if filler else None,
            }
        )
    return {
        "column": node[1],
        "expression": graph.expression(node),
        "upstreams": [{"relation": r, "column": c} for r, c in graph.upstreams(node)],
        "roots": roots,
    }


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Why a row says what it says; values that JSON has no word for as text."""
    return {name: _plain(value) for name, value in dataclasses.asdict(found).items()}


def iso_instant(instant: datetime | None) -> str | None:
    """`2024-06-14T20:00:00Z`; None for None."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)
