# SPDX-License-Identifier: Apache-2.0
"""What a query gives: the rows of one statement; who watches meanwhile; the frames of the caller that it reads."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import polars as pl
    import pyarrow as pa

    from ttapi.formats.chart import Drawing
    from ttapi.refresh.query import PreparedQuery
    from ttapi.refresh.single_flight import Progress
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
