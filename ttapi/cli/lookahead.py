# SPDX-License-Identifier: Apache-2.0
"""`ttapi lookahead`: whether a relation's past rows say what could be known then."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.formats.spans import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.refresh.lookahead import EarlyRow, LateInput, LookAhead


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lookahead")(lookahead)


def lookahead(
    context: typer.Context,
    relation: Annotated[str, typer.Argument(help="A view or table, yours or ttapi's.")],
    as_of: Annotated[
        str,
        typer.Option("--as-of", help="A day (to its end), or an instant (UTC, or with an offset)."),
    ],
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="These alone: A,B.", show_default=False)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="The column that dates a row (default: date, as_of, ...)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Find rows up to a day that use what was known after it; exit 1 when there are any."""
    from ttapi.cli.session import open_workspace, require_home
    from ttapi.refresh.database import Database
    from ttapi.refresh.lookahead import find_look_ahead

    workspace = open_workspace(context)
    require_home(workspace)
    wanted = [part.strip().upper() for part in (symbols or "").split(",") if part.strip()]
    with Database(workspace.home) as database:
        found = find_look_ahead(database, relation, as_of, symbols=wanted, dated_by=by)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), default=str))
    else:
        for line in look_ahead_lines(found):
            typer.echo(line)
    if found.early:
        raise typer.Exit(1)


def look_ahead_lines(found: LookAhead) -> Iterator[str]:
    """What was found, for a person."""
    head = f"{found.relation} as of {found.as_of}"
    if not found.rows:
        yield f"{head}: no row up to then by {found.dated_by}"
        return
    rows = f"{head}: {amount(found.rows, 'row')} up to then by {found.dated_by}"
    if not found.early:
        yield f"{rows}, none uses what was known later"
        return
    yield f"{rows}, {found.early:,} could not be known as they stand"
    yield from (f"  {_row(one)}" for one in found.examples)
    if found.early > len(found.examples):
        yield f"  and {found.early - len(found.examples):,} more"
    if found.inputs:
        yield "behind them, known later only"
    yield from (f"  {_input(one)}" for one in found.inputs)


def _row(one: EarlyRow) -> str:
    key = ", ".join(f"{name} {value}" for name, value in one.key.items())
    if one.column is None:
        return f"{key}: there was no such row"
    return f"{key}: {one.column} is {_value(one.value)}, was {_value(one.value_then)}"


def _value(text: str | None) -> str:
    return "null" if text is None else text


def _input(one: LateInput) -> str:
    key = ", ".join(f"{name} {value}" for name, value in one.key.items())
    more = f", the first of {one.rows:,}" if one.rows > 1 else ""
    return f"{one.relation}: {key}, known at {one.known_at:%Y-%m-%d %H:%M} UTC{more}"
