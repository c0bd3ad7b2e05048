# SPDX-License-Identifier: Apache-2.0
"""`ttapi stream`: a vendor's live events recorded into the home, readable by everyone as they come."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from ttapi.api import Environment, RecorderCounts, RecordOutcome

_EPILOG = (
    "Others read meanwhile: quotes, trades, ticks, tick_quotes, greeks, greeks_history, bars. An interrupt"
    " stores and publishes what has arrived."
)


def register_stream(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stream", epilog=_EPILOG)(stream)


def stream(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(help="Underlyings (SPY) or options (21 characters).", show_default=False),
    ] = None,
    universe: Annotated[
        str | None, typer.Option("--list", help="The members of this universe, too.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--types", help="Only these, as quotes,time_and_sales; default: all there are."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Stop after so long, as 30s or 2h.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Stop after so many events.", min=1)
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Record live events of these symbols until interrupted."""
    from ttapi.api import RecordRequest, record
    from ttapi.cli.terminal import open_environment, require_home, tell_waiting

    environment = open_environment(context.obj)
    require_home(environment)
    request = RecordRequest(
        _symbols(environment, symbols or [], universe),
        tuple(part.strip() for part in (kinds or "").split(",") if part.strip()),
        _seconds(duration),
        limit,
        wait,
    )
    outcome = record(
        environment,
        request,
        environ=os.environ,
        on_wait=tell_waiting,
        on_published=_tell_published,
    )
    _tell_outcome(outcome)
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))


def _symbols(environment: Environment, named: list[str], universe: str | None) -> tuple[str, ...]:
    given = [part for text in named for part in text.split(",")]
    wanted = [text.strip().upper() for text in given if text.strip()]
    members = sorted(environment.members(universe)) if universe else []
    return tuple(dict.fromkeys([*wanted, *members]))


def _seconds(text: str | None) -> float | None:
    """A duration in seconds. *Raises* UsageError for what is none."""
    if text is None:
        return None
    from ttapi.api import parse_duration

    try:
        return parse_duration(text).total_seconds()
    except UsageError as exc:
        raise UsageError(f"--for {text!r} is no duration", hint="30s, 5m and 2h work") from exc


def _tell_published(counts: RecorderCounts, generation: int) -> None:
    from ttapi.cli.terminal import tell

    parts = [f"{counts.stored:,} stored"]
    for count, what in (
        (counts.conflated, "conflated"),
        (counts.refused, "refused"),
        (counts.gaps, "gaps"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    tell(f"ttapi: generation {generation}: {', '.join(parts)}")


def _tell_outcome(outcome: RecordOutcome) -> None:
    from ttapi.cli.terminal import tell

    if outcome.replayed:
        tell(f"ttapi: {amount(outcome.replayed, 'event')} of an earlier run stored first")
    for dataset, rows in outcome.forgotten.items():
        tell(f"ttapi: {dataset}: {amount(rows, 'row')} older than [stream] keep_days removed")
    for source in outcome.sources:
        lost = f", lost {amount(source['losses'], 'time')}" if source["losses"] else ""
        tell(f"ttapi: {source['source']}: {amount(source['events'], 'event')}{lost}")
    tell(f"ttapi: stopped; generation {outcome.generation} holds what arrived")
