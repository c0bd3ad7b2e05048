# SPDX-License-Identifier: Apache-2.0
"""What `ttapi status` shows; without Typer, so that it answers in 200 ms.

A refresh carried out and told, without Typer too: most find nothing to do. So is a home made.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.api import operations
from ttapi.api.answer import outcome_document, status_document
from ttapi.cli.terminal import (
    ask_yes,
    open_environment,
    require_home,
    seconds_text,
    tell,
    tell_waiting,
    watched,
)
from ttapi.errors import ModelError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.api import (
        DatasetOutcome,
        Environment,
        RefreshOutcome,
        RefreshRequest,
        Status,
        StatusRow,
    )


def report_status(home: Path | None, dataset: str | None, as_json: bool, is_whole: bool) -> None:
    """Write how fresh the home is, or one dataset; no lock, no database.

    *Raises* UsageError for a home never made, and for a dataset nobody knows; StoreError where what
    the last refresh left is damaged.
    """
    environment = open_environment(home)
    for line in status_lines(environment, dataset, as_json=as_json, is_whole=is_whole):
        sys.stdout.write(line + "\n")


def run_init(home: Path | None, metastock: Path | None = None, wait_s: float = 60.0) -> None:
    """Make the home, the database and every view. *Raises* as `operations.make_home` and `fill_home`."""
    from ttapi.cli.entry import run_log

    environment = operations.make_home(
        open_environment(home), metastock=metastock, wait_s=wait_s, on_wait=tell_waiting
    )
    with run_log(environment.home, "init"):
        tell("making the calendar, the expirations and every view ...")
        operations.fill_home(environment, wait_s=wait_s, on_wait=tell_waiting)
    tell(
        f"{environment.home.root} is ready; any DuckDB client opens {environment.home.public_file}"
    )
    tell('next: ttapi refresh, or ttapi sql "select * from volatility_latest"')


def refresh_environment(
    home: Path | None,
    symbols: frozenset[str] | None = None,
    universe: str | None = None,
    wait_s: float = 60.0,
) -> Environment:
    """What a refresh of these symbols, and of the members of `universe`, works with.

    *Raises* UsageError for a home never made, a wrong setting, or a universe nobody knows.
    """
    environment = open_environment(home, symbols=symbols)
    require_home(environment)
    if universe is None:
        return environment
    return operations.add_members(environment, universe, wait_s=wait_s, on_wait=tell_waiting)


def run_refresh(
    environment: Environment, request: RefreshRequest, *, asks: bool, as_json: bool
) -> int:
    """Carry `request` out and tell what came of it; the exit code. *Raises* as `operations.refresh`.

    `asks`: whether who sits at a terminal is asked before a refresh of many source calls.
    """
    from ttapi.cli.entry import run_log

    if asks and not _is_wanted(environment, request):
        tell("nothing was refreshed")
        return 1
    with run_log(environment.home, "refresh"), watched() as progress:
        outcome = operations.refresh(environment, request, progress=progress, on_wait=tell_waiting)
    if as_json:
        sys.stdout.write(json.dumps(outcome_document(outcome)) + "\n")
    tell_outcome(outcome)
    # A model file that is wrong, or a source that is configured: of the whole, when the whole was asked for.
    is_lost = bool(outcome.broken_sources) and _has_settings_of_nobody(environment)
    is_broken = (bool(outcome.broken) or is_lost) and not request.targets
    return outcome.exit_code or (ModelError.exit_code if is_broken else 0)


def _has_settings_of_nobody(environment: Environment) -> bool:
    """Whether a section of `ttapi.toml` belongs to no source that loads."""
    there = {one.name for one in environment.sources if one.error is None}
    return any(name not in there for name in environment.settings.named_sources)


def _is_wanted(environment: Environment, request: RefreshRequest) -> bool:
    """Whether the person at the terminal wants what makes more source calls than `[refresh] max_calls`."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    calls = operations.count_calls(environment, request)
    if calls <= environment.settings.max_calls:
        return True
    return ask_yes(f"This would make {amount(calls, 'source call')}. Go on?")


def tell_outcome(outcome: RefreshOutcome) -> None:
    """What happened, a line a dataset that something happened to, on standard error."""
    for done in outcome.datasets:
        _tell_dataset(done)
    for check in outcome.failed_checks:
        bad = amount(check.failures, "bad row")
        tell(f"check {check.check} of {check.dataset}: {bad}, such as {check.sample}")
    for export in outcome.exports:
        rows = f"failed: {export.error}" if export.rows is None else amount(export.rows, "row")
        tell(f"export {export.relation} as {export.format}: {rows}")
    for reason in (*(error.message for error in outcome.broken), *outcome.broken_sources):
        tell(f"left out: {reason}")
    worked = amount(sum(1 for d in outcome.datasets if d.is_changed), "dataset")
    calls = amount(sum(d.source_calls for d in outcome.datasets), "source call")
    spared = sum(d.slices_held for d in outcome.datasets)
    hits = f", {amount(spared, 'slice')} held" if spared else ""
    tell(f"refreshed: {worked} changed, {calls}{hits}, generation {outcome.generation}")


def _tell_dataset(done: DatasetOutcome) -> None:
    if done.slices_asked or done.is_changed or done.error:
        rows = f", {amount(done.rows_accepted, 'row')} accepted" if done.rows_in else ""
        refused = f", {done.rows_refused:,} refused" if done.rows_refused else ""
        units = f", {amount(done.slices_asked, 'slice')}" if done.slices_asked else ""
        failed = f", {len(done.failed_units):,} failed" if done.failed_units else ""
        held = f", {done.slices_held:,} held" if done.slices_held else ""
        word = "failed" if done.error else ("changed" if done.is_changed else "unchanged")
        what = f"{units}{held}{rows}{refused}{failed}"
        tell(f"{done.dataset}: {word}{what}, {seconds_text(done.seconds)}")
    elif done.slices_held:
        absent = (
            f", {len(done.unavailable):,} of them unknown: {done.unavailable[0]}"
            if done.unavailable
            else ""
        )
        tell(f"{done.dataset}: fresh, {amount(done.slices_held, 'slice')} held{absent}")
    if done.error:
        tell(f"  {done.error}")
    for failure in done.failed_units[:5]:
        if not (done.error or "").endswith(failure):
            tell(f"  {failure}")
    if len(done.failed_units) > 5:
        tell(f"  and {len(done.failed_units) - 5} more: select * from health")


def status_lines(
    environment: Environment, dataset: str | None, *, as_json: bool = False, is_whole: bool = False
) -> list[str]:
    """The same about the installation at hand, as lines; `is_whole`: a line for each dataset."""
    found = operations.status(environment, dataset)
    if found.universe_error:
        tell(f"ttapi: [universe] default: {found.universe_error}")
    if not found.is_as_published:
        tell(
            f"ttapi: {environment.home.public_file} was changed since it was published:"
            " ttapi refresh publishes it anew"
        )
    for installed in environment.sources:
        if installed.error:
            tell(f"ttapi: left out: {installed.error}")
    if as_json:
        return [json.dumps([status_document(row) for row in found.rows])]
    zone = ZoneInfo(environment.settings.display_timezone)
    asked = [f"{source}, last asked: {text}" for source, text in found.traffic.items()]
    if dataset:
        return [*_table([_cells(row, zone) for row in found.rows], zone), *asked]
    shown = list(found.rows) if is_whole else []
    lines = (
        list(_table([_cells(row, zone) for row in shown], zone))
        if is_whole
        else _summary(found, zone)
    )
    beside = [one for one in (found.stream, operations.daemon_text(environment.home)) if one]
    return [*lines, *asked, *beside, _market_line(environment.now)]


def _summary(found: Status, zone: ZoneInfo) -> list[str]:
    """What is wrong, then a line a source that is configured or holds something, then the rest in numbers."""
    by_source: dict[str, list[StatusRow]] = {}
    wrong, computed = [], []
    for row in found.rows:
        if source := found.sources.get(row.dataset):
            by_source.setdefault(source, []).append(row)
        else:
            computed.append(row)
        if row.verdict in _WRONG or _is_wrong_itself(row):
            wrong.append(row)
    cells = [_cells(row, zone) for row in wrong]
    for source, rows in sorted(by_source.items()):
        held = [r for r in rows if r.verdict != "not configured" or r.last_load_at]
        if held:
            cells.append(_source_cells(source, held, zone))
    lines = list(_table(cells, zone))
    fresh = sum(row.verdict == "fresh" for row in computed)
    behind = sum(row.verdict in {"stale", "missing"} for row in computed)
    follow = f", {behind} follow when they are asked for" if behind else ""
    lines.append(f"{fresh} of {len(computed)} relations computed from them are fresh{follow}")
    unset = [s for s, rows in sorted(by_source.items()) if not _is_configured(rows)]
    if unset:
        lines.append(f"not configured: {', '.join(unset)} (ttapi sources says what each needs)")
    lines.append(f"ttapi status --all: a line for each of {len(found.rows)} datasets")
    return lines


_WRONG = ("failed", "blocked")
_URGENCY = ("failed", "blocked", "missing", "stale", "fresh", "not configured")


def _is_configured(rows: Sequence[StatusRow]) -> bool:
    return any(row.verdict != "not configured" for row in rows)


def _is_wrong_itself(row: StatusRow) -> bool:
    """Whether a check of its own failed, whatever its inputs are."""
    return any(reason.startswith("check failed") for reason in row.reasons)


def _source_cells(source: str, rows: Sequence[StatusRow], zone: ZoneInfo) -> tuple[str, ...]:
    """One line for all that a source holds: its worst verdict, its oldest age, what is due first."""
    worst = min(rows, key=lambda row: _URGENCY.index(row.verdict))
    ages = [row.age_s for row in rows if row.age_s is not None]
    dues = [row.due_at for row in rows if row.due_at is not None]
    named = worst.dataset.removeprefix("raw.")
    why = "; ".join(worst.reasons)
    reason = f"{named}: {why}" if why and worst.verdict != "fresh" else ""
    counted = ", ".join(f"{n} {v}" for v in _URGENCY if (n := sum(r.verdict == v for r in rows)))
    return (
        source, worst.verdict, _age_text(max(ages, default=None)), _due_text(min(dues, default=None), zone),
        "; ".join(part for part in (counted if len(rows) > 1 else "", reason) if part),
    )  # fmt: skip


def _market_line(now: datetime) -> str:
    phase = operations.market_phase(now)
    shown = phase.until.astimezone(ZoneInfo("America/New_York"))
    return f"XNYS is {'open' if phase.is_open else 'closed'} until {shown:%Y-%m-%d %H:%M} New York"


def _cells(row: StatusRow, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        row.dataset, row.verdict, _age_text(row.age_s), _due_text(row.due_at, zone), "; ".join(row.reasons)
    )  # fmt: skip


def _age_text(age_s: float | None) -> str:
    return "-" if age_s is None else seconds_text(max(0.0, age_s))


def _due_text(due_at: datetime | None, zone: ZoneInfo) -> str:
    return "-" if due_at is None else due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")


def _table(rows: Sequence[tuple[str, ...]], zone: ZoneInfo) -> Iterator[str]:
    cells = [("dataset", "verdict", "age", f"due ({zone})", "why"), *rows]
    name, verdict, age_width, due_width, _ = (
        max(map(len, column)) for column in zip(*cells, strict=True)
    )
    for dataset, said, age, due, why in cells:
        yield f"{dataset:{name}}  {said:{verdict}}  {age:>{age_width}}  {due:{due_width}}  {why}".rstrip()
