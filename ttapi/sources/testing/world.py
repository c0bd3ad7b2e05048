# SPDX-License-Identifier: Apache-2.0
"""A source run in one state of the outside world, and what was seen.

Whether what a source sent is what it reported: each function yields what is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ttapi.sources.conformity import batch_problems
from ttapi.sources.contract import Batch, SourceContext, Unit, UnitReport, UnitRequest
from ttapi.sources.discovery import error_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from ttapi.sources.contract import Resource, Source

Settings = Mapping[str, str] | Callable[[], Mapping[str, str]]
"""Settings of the source, or what brings the outside world into a state and gives them."""


@dataclass(frozen=True)
class World:
    """A source, its settings, and the instant it is instants."""

    make: Callable[[], Source]
    settings: Mapping[str, str]
    now: datetime
    keys: Mapping[str, Sequence[str]]
    """By resource that requires keys: values to ask for."""
    span: tuple[date | None, date | None] = (None, None)
    """First date wanted, first date not wanted: of resources that require keys."""

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the source offers."""
        return self.make().resources

    def at(self, now: datetime) -> World:
        """The same world at another instant."""
        return replace(self, now=now)

    def context(self, symbols: frozenset[str] | None = None) -> SourceContext:
        """What the runner would hand the source."""
        return SourceContext(self.settings, self.now, symbols)


@dataclass
class Observed:
    """What a source yielded for one resource until it ended or raised."""

    resource: Resource
    requests: Sequence[UnitRequest] = ()
    batches: list[Any] = field(default_factory=list)
    """As they came, Batch or not."""
    error: BaseException | None = None
    """What survey or fetch raised."""

    @property
    def reports(self) -> list[UnitReport]:
        """Every report, in order."""
        return [report for batch in self._whole for report in batch.units]

    @property
    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """By unit key: declared columns and line of each accepted row, in order."""
        names = [*(column.name for column in self.resource.columns), "line"]
        return self._by_unit((batch.units, batch.rows, names) for batch in self._whole)

    @property
    def known(self) -> list[datetime]:
        """Every known_at that was given."""
        instants: list[datetime] = []
        for batch in self._whole:
            if batch.rows is not None:
                instants += [one for one in batch.rows["known_at"].to_pylist() if one is not None]
        return instants

    @property
    def rejects(self) -> dict[str, list[tuple[Any, ...]]]:
        """By unit key: line, reason and text of each refused row."""
        names = ["line", "reason", "text"]
        return self._by_unit((batch.units, batch.rejects, names) for batch in self._whole)

    @property
    def _whole(self) -> list[Batch]:
        return [batch for batch in self.batches if isinstance(batch, Batch)]

    @staticmethod
    def _by_unit(parts: Iterable[tuple[Any, Any, list[str]]]) -> dict[str, list[tuple[Any, ...]]]:
        found: dict[str, list[tuple[Any, ...]]] = {}
        for units, table, names in parts:
            for report in units:
                found.setdefault(report.unit.key, [])
            if table is None:
                continue
            columns = [table[name].to_pylist() for name in names]
            for index, *values in zip(table["unit"].to_pylist(), *columns, strict=True):
                key = units[index].unit.key if index is not None and 0 <= index < len(units) else ""
                found.setdefault(key, []).append(tuple(values))
        return found


def observe(
    world: World,
    resource: Resource,
    requests: Sequence[UnitRequest] | None = None,
    *,
    symbols: frozenset[str] | None = None,
    batches: int | None = None,
) -> Observed:
    """What a new instance of the source yields; all its units asked where `requests` is None.

    `batches`: how many are taken before the source is left alone; None: all. Whatever it raises
    becomes `error`.
    """
    seen = Observed(resource)
    try:
        source, context = world.make(), world.context(symbols)
        if requests is None:
            requests = units_of(world, resource, source)
        seen.requests = requests
        iterator = iter(source.fetch(resource, requests, context))
        for batch in iterator:
            seen.batches.append(batch)
            if batches is not None and len(seen.batches) >= batches:
                getattr(iterator, "close", lambda: None)()
                break
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - what it raises is what is looked at
        seen.error = exc
    return seen


def units_of(world: World, resource: Resource, source: Source) -> list[UnitRequest]:
    """Requests for all there is: what survey lists, or the keys the world names."""
    if resource.requires:
        return [UnitRequest(Unit(key), None, *world.span) for key in world.keys[resource.name]]
    return [UnitRequest(unit) for unit in source.survey(resource, world.context())]


_TEXT_LIMIT = 500


def raised(seen: Observed) -> Iterator[str]:
    """That it raised at all."""
    if seen.error is not None:
        yield f"raises {error_text(seen.error)}"


def report_mismatches(seen: Observed) -> Iterator[str]:
    """Whether what was sent is what was reported, in the shape that was declared."""
    for batch in seen.batches:
        problems = list(batch_problems(seen.resource, batch))
        yield from problems
        if problems:
            return
    rows, rejects = seen.rows, seen.rejects
    if rows.get("") or rejects.get(""):
        yield "a row names a unit that its batch does not report"
    for report in seen.reports:
        key = report.unit.key
        instants = (report.rows_in, report.rows_accepted, report.rows_refused)
        if instants[0] != instants[1] + instants[2]:
            yield f"unit {key!r}: {instants[0]} rows in are not {instants[1]} accepted and {instants[2]} refused"
        accepted = 0 if report.is_unchanged or report.error is not None else report.rows_accepted
        if len(rows[key]) != accepted:
            yield f"unit {key!r}: {accepted} rows accepted are reported, {len(rows[key])} sent"
        refused = 0 if report.is_unchanged else report.rows_refused
        if len(rejects[key]) != refused:
            yield f"unit {key!r}: {refused} rows refused are reported, {len(rejects[key])} sent"
        yield from _refusals(key, rejects[key])


def _refusals(key: str, rejects: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    for line, reason, text in rejects:
        if not reason:
            yield f"unit {key!r}: line {line} is refused without a reason"
        if text is not None and len(text) > _TEXT_LIMIT:
            yield (
                f"unit {key!r}: the text of a refused row has {len(text)} characters, more than {_TEXT_LIMIT}"
            )


def repeated_grains(seen: Observed) -> Iterator[str]:
    """Units that claim to hold no duplicates and do."""
    if not seen.resource.grain:
        return
    names = [column.name for column in seen.resource.columns]
    places = [names.index(name) for name in seen.resource.grain]
    rows = seen.rows
    for report in seen.reports:
        facts = Counter(tuple(row[p] for p in places) for row in rows[report.unit.key])
        twice = [fact for fact, n in facts.items() if n > 1]
        if twice and not report.has_duplicates:
            yield f"unit {report.unit.key!r} says has_duplicates=False and gives {_fact(twice[0])} twice"


def _fact(values: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in values)
