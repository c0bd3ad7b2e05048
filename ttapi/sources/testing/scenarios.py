# SPDX-License-Identifier: Apache-2.0
"""What holds of a source when the outside world is not healthy: each rule yields what breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import SourceDownError, SourceError, TtapiError
from ttapi.sources.testing.accounts import accounts, raised, repeated_grains, told_error
from ttapi.sources.testing.world import Observed, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttapi.sources.contract import Resource
    from ttapi.sources.testing.world import World


def empty(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Nothing there is an answer: no error, no row, and a report where a unit is there."""
    seen = observe(world, resource)
    yield from raised(seen)
    yield from accounts(seen)
    yield from _unreported(seen)
    rows = sum(len(rows) for rows in seen.rows.values())
    if rows:
        yield f"gives {rows} rows of a world said to be empty"


def late(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Late and repeated rows are rows: counted, sent, and never claimed to be without duplicates."""
    seen = observe(world, resource)
    yield from raised(seen)
    yield from accounts(seen)
    yield from _unreported(seen)
    yield from repeated_grains(seen)


def drift(_healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """A changed schema is told: by an error, or by refused rows; never by silence."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from accounts(seen)
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
        yield f"out of reach it raises {told_error(seen.error)}; raise SourceDownError"


def throttled(healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """Told to slow down (429), it waits and gives all, or says which units it could not get."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from _incomplete(healthy, seen)


def broken(healthy: Observed, world: World, resource: Resource) -> Iterator[str]:
    """An answer that breaks off in the middle: whole units so far, then an error."""
    seen = observe(world, resource)
    yield from _foreign(seen)
    yield from accounts(seen)
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
        yield f"raises {told_error(seen.error)}; wrap it in SourceError or SourceDownError"
    elif seen.error is not None and not isinstance(seen.error, SourceError):
        yield f"raises {told_error(seen.error)}; what the outside world does is a SourceError"


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
