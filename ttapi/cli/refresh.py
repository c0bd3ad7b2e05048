# SPDX-License-Identifier: Apache-2.0
"""`ttapi refresh`: bring datasets and what they read up to date, or say what that would take.

`ttapi status`: verdict, reasons and age of every dataset; opens no database, takes no lock.
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import ModelError, UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api import DatasetOutcome, Environment, RefreshOutcome, RefreshRequest, Step


def register_refresh(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refresh")(refresh)


def refresh(
    context: typer.Context,
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Datasets, views or sources; none: everything.", show_default=False),
    ] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="Only these, as A,B.")] = None,
    universe: Annotated[
        str | None, typer.Option("--list", help="Only the members of this universe.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First date wanted.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First date not wanted.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done; do nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Ask again even where fresh.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Never ask before a large refresh.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Bring datasets and everything they read up to date."""
    from ttapi.api import RefreshRequest, operations
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home, tell_waiting, watched

    environment = open_environment(context.obj, symbols=_symbols(symbols))
    require_home(environment)
    if universe is not None:
        environment = operations.add_members(
            environment, universe, wait_s=wait, on_wait=tell_waiting
        )
    request = RefreshRequest(
        targets=tuple(datasets or ()),
        force=force,
        span=_span(start, end),
        wait_s=wait,
    )
    if not plan and not yes:
        _confirm_large(environment, request)
    if plan:
        _show_plan(operations.plan(environment, request), as_json=as_json)
        return
    with run_log(environment.home, "refresh"), watched() as progress:
        outcome = operations.refresh(environment, request, progress=progress, on_wait=tell_waiting)
    if as_json:
        typer.echo(json.dumps(_outcome_document(outcome)))
    tell_outcome(outcome)
    # A model file that is wrong: of the whole, when the whole was asked for.
    code = outcome.exit_code or (ModelError.exit_code if outcome.broken and not datasets else 0)
    if code:
        raise typer.Exit(code)


def _confirm_large(environment: Environment, request: RefreshRequest) -> None:
    """Ask on a terminal before a refresh of more source calls than `[refresh] max_calls`."""
    from ttapi.api import operations

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    calls = operations.count_calls(environment, request)
    if calls > environment.settings.max_calls:
        typer.confirm(
            f"This would make {amount(calls, 'source call')}. Go on?", abort=True, err=True
        )


def tell_outcome(outcome: RefreshOutcome) -> None:
    """What happened, a line a dataset that something happened to, on standard error."""
    from ttapi.cli.terminal import tell

    for done in outcome.datasets:
        _tell_dataset(done)
    for check in outcome.failed_checks:
        bad = amount(check.failures, "bad row")
        tell(f"check {check.check} of {check.dataset}: {bad}, such as {check.sample}")
    for export in outcome.exports:
        rows = f"failed: {export.error}" if export.rows is None else amount(export.rows, "row")
        tell(f"export {export.relation} as {export.format}: {rows}")
    for error in outcome.broken:
        tell(f"left out: {error.message}")
    worked = amount(sum(1 for d in outcome.datasets if d.is_changed), "dataset")
    calls = amount(sum(d.source_calls for d in outcome.datasets), "source call")
    spared = sum(d.slices_held for d in outcome.datasets)
    hits = f", {amount(spared, 'slice')} held" if spared else ""
    tell(f"refreshed: {worked} changed, {calls}{hits}, generation {outcome.generation}")


def _tell_dataset(done: DatasetOutcome) -> None:
    from ttapi.cli.terminal import seconds_text, tell

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


def _outcome_document(outcome: RefreshOutcome) -> dict[str, Any]:
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


def _show_plan(steps: Sequence[Step], *, as_json: bool) -> None:
    todo = [step for step in steps if step.action != "none"]
    if as_json:
        rows = [
            {
                "dataset": s.dataset,
                "slice": unit,
                "reasons": list(s.reasons),
                "calls": 1 if s.calls else 0,
            }
            for s in todo
            for unit in (s.slices or (None,))
        ]
        typer.echo(json.dumps(rows))
        return
    if not todo:
        typer.echo("everything is fresh: nothing to do")
    for step in todo:
        calls = f", {amount(step.calls, 'call')}" if step.action == "ask" else ""
        typer.echo(f"{step.action:8} {step.dataset}{calls}: {'; '.join(step.reasons)}")
        for unit in step.slices[:3]:
            typer.echo(f"           {unit}")
        if len(step.slices) > 3:
            typer.echo(f"           and {len(step.slices) - 3:,} more")


def _symbols(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    return frozenset(part.strip().upper() for part in text.split(",") if part.strip())


def _span(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    first, last = _date(start, "--from"), _date(end, "--to")
    if first and last and first >= last:
        raise UsageError(
            f"--from {first} to {last} holds no date",
            hint="--to is the first date not wanted, after --from",
        )
    return first, last


def _date(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as exc:
        raise UsageError(f"{option} {text!r} is no date", hint="2024-06-14 works") from exc


def register_status(app: typer.Typer) -> None:
    """Add the command and its alias."""
    app.command("status")(status)
    app.command("datasets", hidden=True)(status)


def status(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="One dataset; none: the home.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every dataset, as JSON.")] = False,
    is_whole: Annotated[bool, typer.Option("--all", help="A line for every dataset.")] = False,
) -> None:
    """Say how fresh what is configured or held is: what is wrong first, then a line a source."""
    from ttapi.cli.report import report_status

    report_status(context.obj, dataset, as_json, is_whole)
