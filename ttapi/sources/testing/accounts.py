# SPDX-License-Identifier: Apache-2.0
"""Whether what a source sent is what it reported: each function yields what is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ttapi.sources.conformity import batch_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.sources.testing.world import Observed

_TEXT_LIMIT = 500


def raised(seen: Observed) -> Iterator[str]:
    """That it raised at all."""
    if seen.error is not None:
        yield f"raises {told_error(seen.error)}"


def told_error(error: Exception) -> str:
    """An exception by kind and text."""
    return f"{type(error).__name__}: {error}"


def accounts(seen: Observed) -> Iterator[str]:
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
        told = (report.rows_in, report.rows_accepted, report.rows_refused)
        if told[0] != told[1] + told[2]:
            yield f"unit {key!r}: {told[0]} rows in are not {told[1]} accepted and {told[2]} refused"
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
