# SPDX-License-Identifier: Apache-2.0
"""What holds of a source in a healthy world, a rule a function: each yields what breaks it.

What holds of a source when the outside world is not healthy: each rule yields what breaks it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from ttapi.errors import SourceDownError, SourceError, TtapiError
from ttapi.sources.contract import (
    StreamBatch,
    StreamNotice,
    StreamReady,
    StreamRequest,
    Unit,
    UnitRequest,
)
from ttapi.sources.discovery import error_text
from ttapi.sources.testing.world import (
    Observed,
    observe,
    raised,
    repeated_grains,
    report_mismatches,
    units_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ttapi.sources.contract import Resource, SourceContext, StreamSource
    from ttapi.sources.testing.world import World

_STREAM_S = 10.0
"""How long a stream may take to bring something of everything."""


def listing(world: World, resource: Resource) -> Iterator[str]:
    """Survey lists units under distinct, stable names."""
    if resource.requires:
        return
    first = [r.unit for r in units_of(world, resource, world.make())]
    names = Counter(unit.key for unit in first)
    yield from (f"lists unit {key!r} {n} times" for key, n in names.items() if n > 1)
    yield from (
        f"lists a unit called {key!r}" for key in names if not isinstance(key, str) or not key
    )
    if first != [r.unit for r in units_of(world, resource, world.make())]:
        yield "lists other units when asked again, though nothing changed"


def whole_answer(world: World, resource: Resource) -> Iterator[str]:
    """One report a request, counts that add up, columns and types as declared."""
    seen = observe(world, resource)
    yield from raised(seen)
    yield from report_mismatches(seen)
    told = Counter(report.unit.key for report in seen.reports)
    for request in seen.requests:
        if told[request.unit.key] != 1:
            yield f"unit {request.unit.key!r} is reported {told[request.unit.key]} times, not once"
    if not any(seen.rows.values()):
        yield "gives no row in a world said to be healthy: check the settings"


def instants(world: World, resource: Resource) -> Iterator[str]:
    """Nothing is known before it can be: no known_at after now, dates of reports as of the rows."""
    seen = observe(world, resource)
    now = world.now.astimezone(UTC).replace(tzinfo=None)
    late = [one for one in seen.known if one > now]
    if late:
        yield f"known_at {max(late)} is after now ({now}): nobody could know it yet"
    if resource.time_column is None:
        return
    place = [column.name for column in resource.columns].index(resource.time_column)
    rows = seen.rows
    for report in seen.reports:
        days = [_day(row[place]) for row in rows[report.unit.key] if row[place] is not None]
        told = (report.first_date, report.last_date)
        if days and told not in {(None, None), (min(days), max(days))}:
            yield f"unit {report.unit.key!r} reports dates {told[0]} to {told[1]} and sent {min(days)} to {max(days)}"


def duplicates(world: World, resource: Resource) -> Iterator[str]:
    """Where has_duplicates is False, no two accepted rows of a unit share a grain."""
    yield from repeated_grains(observe(world, resource))


def determinism(world: World, resource: Resource) -> Iterator[str]:
    """The same world gives the same answer, to the hash."""
    first, second = observe(world, resource), observe(world, resource)
    yield from _differences(first, second, "asked again, with nothing changed")
    hashes = {report.unit.key: report.content_hash for report in first.reports}
    for report in second.reports:
        if report.content_hash != hashes.get(report.unit.key):
            yield f"unit {report.unit.key!r} has another content_hash when asked again"


def unchanged_content(world: World, resource: Resource) -> Iterator[str]:
    """A unit whose hash is known is answered unchanged and without rows, or whole."""
    first = observe(world, resource)
    hashes = {report.unit.key: report.content_hash for report in first.reports}
    asked = [replace(r, known_hash=hashes.get(r.unit.key)) for r in first.requests]
    again = observe(world, resource, asked)
    yield from raised(again)
    yield from report_mismatches(again)
    for report in again.reports:
        key = report.unit.key
        if report.is_unchanged and hashes.get(key) is None:
            yield f"unit {key!r} is called unchanged though it has no content_hash"
        if not report.is_unchanged and again.rows[key] != first.rows[key]:
            yield f"unit {key!r} is answered otherwise when its hash is known, and not as unchanged"
    first_load = observe(world, resource)
    yield from (
        f"unit {report.unit.key!r} is called unchanged when no hash was given"
        for report in first_load.reports
        if report.is_unchanged
    )


def parts(world: World, resource: Resource) -> Iterator[str]:
    """One unit alone is answered as among all; no unit asked, none answered."""
    every = observe(world, resource)
    if not every.requests:
        return
    last = every.requests[-1]
    alone = observe(world, resource, [last])
    yield from raised(alone)
    if alone.rows.get(last.unit.key) != every.rows.get(last.unit.key):
        yield f"unit {last.unit.key!r} alone is answered otherwise than among all"
    if observe(world, resource, []).reports:
        yield "reports units though none was asked for"


def abandoned(world: World, resource: Resource) -> Iterator[str]:
    """Left alone in the middle of an answer, it starts over as if nothing had been."""
    before = observe(world, resource)
    observe(world, resource, batches=1)
    yield from _differences(before, observe(world, resource), "asked after an abandoned answer")


def gone(world: World, resource: Resource) -> Iterator[str]:
    """A unit that vanished between listing and fetching fails alone, told as an error."""
    key = "no-such-unit"
    every = observe(world, resource)
    asked = [*every.requests, UnitRequest(Unit(key), None, *world.span)]
    seen = observe(world, resource, asked)
    if seen.error is not None and not isinstance(seen.error, TtapiError):
        yield f"a unit that is gone raises {error_text(seen.error)}; report it with `error`"
    if seen.rows.get(key):
        yield f"a unit that does not exist gives {len(seen.rows[key])} rows"
    if seen.error is None and not any(report.unit.key == key for report in seen.reports):
        yield "a unit that is gone is passed over in silence; report it with `error`"


def clock_skew(world: World, resource: Resource) -> Iterator[str]:
    """A clock that is wrong by days breaks nothing and invents nothing."""
    usual = observe(world, resource)
    ahead = observe(world.at(world.now + timedelta(days=400)), resource)
    behind = world.at(world.now - timedelta(days=3))
    yield from (f"with a clock 400 days ahead {text}" for text in raised(ahead))
    lost = sum(
        1 for key, rows in usual.rows.items() for row in rows if row not in ahead.rows.get(key, [])
    )
    if lost and not resource.requires:
        yield f"{lost} rows are missing when the clock is 400 days ahead"
    early = observe(behind, resource)
    yield from (
        f"with a clock 3 days behind {text}" for text in (*raised(early), *report_mismatches(early))
    )
    yield from (f"with a clock 3 days behind {text}" for text in instants(behind, resource))


def narrowing(world: World, resource: Resource) -> Iterator[str]:
    """Asked for some symbols only, it gives rows it gives anyway."""
    every = observe(world, resource)
    some = observe(world, resource, symbols=frozenset({"NO-SUCH-SYMBOL"}))
    yield from raised(some)
    extra = sum(
        1 for key, rows in some.rows.items() for r in rows if r not in every.rows.get(key, [])
    )
    if extra:
        yield f"{extra} rows come only when symbols are named"


def slices(world: World, resource: Resource) -> Iterator[str]:
    """Asked by key and interval, it gives rows of that key within it."""
    if not resource.requires:
        return
    names = [column.name for column in resource.columns]
    key_at = names.index(resource.keys[0])
    low, high = world.span
    seen = observe(world, resource)
    for unit, rows in seen.rows.items():
        other = {str(row[key_at]) for row in rows} - {unit}
        if other:
            yield f"asked for {unit!r} it gives rows of {min(other)!r}"
        if resource.time_column is None:
            continue
        at = names.index(resource.time_column)
        days = [_day(row[at]) for row in rows if row[at] is not None]
        outside = [d for d in days if (low and d < low) or (high and d >= high)]
        if outside:
            yield f"asked for {low} to before {high} it gives a row of {outside[0]}"


RULES: tuple[Callable[[World, Resource], Iterator[str]], ...] = (
    listing, whole_answer, instants, duplicates, determinism, unchanged_content, parts, abandoned,
    gone, clock_skew, narrowing, slices,
)  # fmt: skip


def _differences(first: Observed, second: Observed, when: str) -> Iterator[str]:
    yield from raised(second)
    for key in [*first.rows, *(k for k in second.rows if k not in first.rows)]:
        if first.rows.get(key) != second.rows.get(key):
            yield f"unit {key!r} gives other rows when {when}"
        elif first.rejects.get(key) != second.rejects.get(key):
            yield f"unit {key!r} refuses other rows when {when}"


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def empty(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Nothing there is an answer: no error, no row, and a report where a unit is there."""
    seen = observe(world, resource)
    yield from raised(seen)
    yield from report_mismatches(seen)
    yield from _unreported(seen)
    rows = sum(len(rows) for rows in seen.rows.values())
    if rows:
        yield f"gives {rows} rows of a world said to be empty"


def late(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Late and repeated rows are rows: counted, sent, and never claimed to be without duplicates."""
    seen = observe(world, resource)
    yield from raised(seen)
    yield from report_mismatches(seen)
    yield from _unreported(seen)
    yield from repeated_grains(seen)


def drift(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """A changed schema is told: by an error, or by refused rows; never by silence."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from report_mismatches(seen)
    is_told = seen.error is not None or any(r.error or r.rows_refused for r in seen.reports)
    if not is_told and not any(seen.rows.values()):
        yield "says nothing of a schema that changed: no row, no refused row, no error"
    if seen.error is None:
        yield from _unreported(seen)


def down(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Out of reach (503, refused connection) is a SourceDownError, so that data is served with its age."""
    seen = observe(world, resource)
    if seen.error is None:
        if not seen.requests:
            yield "lists nothing when its vendor is out of reach: everything would seem to have vanished"
        elif not all(report.error for report in seen.reports):
            yield "answers as if nothing were wrong when its vendor is out of reach"
        else:
            yield "reports each unit as failed when its vendor is out of reach; raise SourceDownError"
    elif not isinstance(seen.error, SourceDownError):
        yield f"out of reach it raises {error_text(seen.error)}; raise SourceDownError"


def throttled(healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Told to slow down (429), it waits and gives all, or says which units it could not get."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from _incomplete(healthy, seen)


def broken(healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """An answer that breaks off in the middle: whole units so far, then an error."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from report_mismatches(seen)
    if seen.error is None and not any(report.error for report in seen.reports):
        yield "says nothing of an answer that broke off in the middle"
    yield from _incomplete(healthy, seen)


SCENARIOS: dict[str, Callable[[Observed, World, Resource], Iterator[str]]] = {
    "empty": empty,
    "late": late,
    "drift": drift,
    "down": down,
    "throttled": throttled,
    "broken": broken,
}


def _foreign(seen: Observed) -> Iterator[str]:
    if seen.error is not None and not isinstance(seen.error, TtapiError):
        yield f"raises {error_text(seen.error)}; wrap it in SourceError or SourceDownError"
    elif seen.error is not None and not isinstance(seen.error, SourceError):
        yield f"raises {error_text(seen.error)}; what the outside world does is a SourceError"


def _unreported(seen: Observed) -> Iterator[str]:
    told = {report.unit.key for report in seen.reports}
    for request in seen.requests:
        if request.unit.key not in told:
            yield f"says nothing of unit {request.unit.key!r}"


def _incomplete(healthy: Observed, seen: Observed) -> Iterator[str]:
    """Units given as whole that are not."""
    for report in seen.reports:
        key = report.unit.key
        given, there = seen.rows.get(key, []), healthy.rows.get(key, [])
        if report.error is None and not report.is_unchanged and given != there:
            yield f"unit {key!r} is given as whole and is not: {len(given)} rows of {len(there)}"
    if seen.error is None:
        yield from _unreported(seen)


def stream_problems(
    source: StreamSource,
    logs: Sequence[Resource],
    context: SourceContext,
    keys: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """A stream says when it is ready, and its batches have the columns their log declares."""
    requests = [
        StreamRequest(one, tuple(keys[one.name]), context.now) for one in logs if one.name in keys
    ]
    if not requests:
        yield f"{logs[0].name}: is a log; give keys={{{logs[0].name!r}: [...]}}"
        return
    events = asyncio.run(_first_events(source, requests, context))
    if not any(isinstance(event, StreamReady) for event in events):
        yield "never said that it was ready (StreamReady)"
    batches = [event for event in events if isinstance(event, StreamBatch)]
    if not any(batch.rows.num_rows for batch in batches):
        yield "gives no event in a world said to be healthy: check the settings"
    for batch in batches:
        declared = [column.name for column in batch.resource.columns if column.name != "arrival"]
        if list(batch.rows.schema.names) != declared:
            yield f"{batch.resource.name}: its columns are {batch.rows.schema.names}, not {declared}"


async def _first_events(
    source: StreamSource, requests: Sequence[StreamRequest], context: SourceContext
) -> list[StreamBatch | StreamReady | StreamNotice]:
    """What comes until the stream is ready and has brought something of every request, or ten seconds."""
    events: list[StreamBatch | StreamReady | StreamNotice] = []
    wanted = {one.resource.name for one in requests}
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(_STREAM_S),
            aclosing(source.stream(requests, context, lambda: context.now)) as stream,
        ):
            async for event in stream:
                events.append(event)
                wanted -= {event.resource.name} if isinstance(event, StreamBatch) else set()
                if not wanted and any(isinstance(one, StreamReady) for one in events):
                    break
    return events
