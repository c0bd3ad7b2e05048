# SPDX-License-Identifier: Apache-2.0
"""`ttapi lookahead`: whether a relation's past rows say what could be known then.

`ttapi sql --receipt F` and `ttapi replay F`: an answer sealed, and proved again.
"""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.api import EarlyRow, LateInput, LookAhead, Receipt, Replay
    from ttapi.cli.shell.options import DisplayOptions
    from ttapi.cli.shell.start import Start


def register_lookahead(app: typer.Typer) -> None:
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
    from ttapi.api import Database
    from ttapi.cli.terminal import open_environment, require_home

    environment = open_environment(context.obj)
    require_home(environment)
    wanted = [part.strip().upper() for part in (symbols or "").split(",") if part.strip()]
    with Database(environment.home) as database:
        found = database.look_ahead(relation, as_of, symbols=wanted, dated_by=by)
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


def register_replay(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A receipt that ttapi sql --receipt wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Prove a receipt again: the same query on the data as it stood; exit 1 when it differs."""
    from ttapi.api import operations, read_receipt
    from ttapi.cli.terminal import open_environment, require_home

    receipt = read_receipt(file)
    environment = open_environment(context.obj)
    require_home(environment)
    found = operations.replay(environment, receipt)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        typer.echo(_text(found, receipt))
    if not found.is_equal:
        raise typer.Exit(1)


def run_with_receipt(start: Start, options: DisplayOptions, text: str, file: Path) -> int:
    """Run the one SELECT of `text` as `ttapi sql` does, and leave its receipt in `file`.

    *Raises* UsageError for a text no receipt can be made of, before anything is fetched.
    """
    from ttapi.api import operations
    from ttapi.cli.shell.session import Session, SessionOptions
    from ttapi.cli.terminal import tell
    from ttapi.home import find_home

    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file.absolute().parent} is no folder", hint="make it first")
    home = find_home(start.home, os.environ)
    manners = SessionOptions(freshness=start.freshness)
    with closing(Session(home, options, manners)) as session:
        database = session.database
        sql = operations.provable_select(database, text)
        error = session.run_script(text)
        if error is not None or session.last is None or session.last.rows is None:
            return error.exit_code if error else 1
        operations.leave_receipt(database, sql, session.last, file)
    tell(f"-- receipt in {file}")
    return 0


def _text(found: Replay, receipt: Receipt) -> str:
    if not found.is_equal:
        return f"not equal: {found.reason}"
    since = found.newest_load_id - found.load_id
    later = f"{since} load{'s' if since != 1 else ''} later" if since else "no load since"
    rebuilt = f"; built again: {', '.join(found.rebuilt)}" if found.rebuilt else ""
    rows = f"{found.rows:,} row{'s' if found.rows != 1 else ''}"
    return f"equal: {rows} as after load {receipt.load_id}, {later}{rebuilt}"
