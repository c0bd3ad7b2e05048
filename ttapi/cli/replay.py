# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql --receipt F` and `ttapi replay F`: an answer sealed, and proved again."""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from ttapi.cli.shell.options import Options
    from ttapi.cli.shell.start import Start
    from ttapi.refresh.provenance.receipt import Receipt
    from ttapi.refresh.provenance.replay import Replay


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A receipt that ttapi sql --receipt wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Prove a receipt again: the same query on the data as it stood; exit 1 when it differs."""
    from ttapi.cli.session import open_workspace, require_home
    from ttapi.refresh.provenance.receipt import read_receipt
    from ttapi.refresh.provenance.replay import replay as prove

    receipt = read_receipt(file)
    workspace = open_workspace(context)
    require_home(workspace)
    found = prove(workspace, receipt)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        typer.echo(_told(found, receipt))
    if not found.is_equal:
        raise typer.Exit(1)


def run_with_receipt(start: Start, options: Options, text: str, file: Path) -> int:
    """Run the one SELECT of `text` as `ttapi sql` does, and leave its receipt in `file`.

    *Raises* UsageError for a text no receipt can be made of, before anything is fetched.
    """
    from ttapi.cli.session import tell
    from ttapi.cli.shell.session import Manners, Session
    from ttapi.config import find_home
    from ttapi.refresh.provenance.receipt import make_receipt, require_provable, write_receipt

    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file.absolute().parent} is no folder", hint="make it first")
    home = find_home(start.home, os.environ)
    manners = Manners(freshness=start.freshness)
    with closing(Session(home, options, manners)) as session:
        database = session.database
        statements = database.reader.split(text)
        if len(statements) != 1 or statements[0].kind != "SELECT":
            raise UsageError("a receipt is for one SELECT", hint="give one with -c")
        sql = statements[0].sql
        require_provable(sql, database.workspace)
        # One thread: sums of floating point come out alike each time.
        database.reader.run("set threads = 1")
        error = session.run_script(text)
        if error is not None or session.last is None or session.last.rows is None:
            return error.exit_code if error else 1
        rows = session.last.rows
        whole = database.reader.run(sql) if rows.is_cut else rows
        assert whole is not None
        ages = session.last.prepared.ages
        write_receipt(make_receipt(database, sql, whole.table, ages=ages), file)
    tell(f"-- receipt in {file}")
    return 0


def _told(found: Replay, receipt: Receipt) -> str:
    if not found.is_equal:
        return f"not equal: {found.reason}"
    since = found.newest_load_id - found.load_id
    later = f"{since} load{'s' if since != 1 else ''} later" if since else "no load since"
    rebuilt = f"; built again: {', '.join(found.rebuilt)}" if found.rebuilt else ""
    rows = f"{found.rows:,} row{'s' if found.rows != 1 else ''}"
    return f"equal: {rows} as after load {receipt.load_id}, {later}{rebuilt}"
