# SPDX-License-Identifier: Apache-2.0
"""`ttapi refresh`: bring datasets and what they read up to date, or say what that would take.

`ttapi status`: verdict, reasons and age of every dataset; opens no database, takes no lock.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.api.answer import plan_document
from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api import Environment, Step


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
    before_close: Annotated[
        str | None,
        typer.Option(
            "--before-close",
            help="Only symbols whose options close within so long, as 5m; half days are known.",
        ),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Never ask before a large refresh.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Bring datasets and everything they read up to date."""
    from ttapi.api import RefreshRequest, operations
    from ttapi.cli.report import refresh_environment, run_refresh
    from ttapi.cli.terminal import tell

    environment = refresh_environment(context.obj, _symbols(symbols), universe, wait)
    if before_close is not None:
        closing = _closing(environment, before_close)
        if not closing.symbols:
            tell(f"no options close within {before_close}: nothing was asked")
            return
        environment = closing
    request = RefreshRequest(
        targets=tuple(datasets or ()),
        force=force,
        span=_span(start, end),
        wait_s=wait,
    )
    if plan:
        _show_plan(operations.plan(environment, request), as_json=as_json)
        return
    if code := run_refresh(environment, request, asks=not yes, as_json=as_json):
        raise typer.Exit(code)


def _show_plan(steps: Sequence[Step], *, as_json: bool) -> None:
    todo = [step for step in steps if step.action != "none"]
    if as_json:
        typer.echo(json.dumps(plan_document(todo)))
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


def _closing(environment: Environment, text: str) -> Environment:
    """`environment` for those of its symbols whose options close within a time. *Raises* UsageError."""
    from ttapi.api import options_close, parse_duration

    if not environment.symbols:
        raise UsageError(
            "--before-close is about symbols", hint="--symbols SPY,SPX, or --list NAME"
        )
    try:
        within = parse_duration(text)
    except UsageError as exc:
        raise UsageError(f"--before-close {text!r} is no duration", hint="5m works") from exc
    now = environment.now
    soon = {one for one in environment.symbols if options_close(one, now) - now <= within}
    return replace(environment, symbols=frozenset(soon))


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
