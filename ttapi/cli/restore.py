# SPDX-License-Identifier: Apache-2.0
"""`ttapi restore`: the database brought back from a backup, a published file, or itself."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.spans import amount

if TYPE_CHECKING:
    from ttapi.refresh.running.recovery import RestoreOutcome


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore")(restore)


def restore(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[BACKUP|latest|snapshot|live|empty]",
            help="A backup; latest: the newest one; snapshot: the newest published file; live: the live"
            " file, published again; empty: begin anew. None: the newest whole copy where the live"
            " file is damaged, else latest.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Put it in place of a database that works.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
) -> None:
    """Bring the database back; what was there is kept beside it."""
    from ttapi.cli.journal import logged
    from ttapi.cli.session import open_workspace, tell_waiting
    from ttapi.refresh.running.recovery import WORDS, RestoreRequest, require_copy
    from ttapi.refresh.running.recovery import restore as bring_back
    from ttapi.store.database import make_folders

    workspace = open_workspace(context)
    if not workspace.home.root.is_dir() and (what is None or what in WORDS):
        raise UsageError(
            f"{workspace.home.root} is no ttapi home", hint="ttapi restore BACKUP makes one of it"
        )
    require_copy(workspace.home, what)
    make_folders(workspace.home)
    is_confirmed = yes or _confirmed(what)
    with logged(workspace.home, "restore"):
        request = RestoreRequest(what, is_confirmed=is_confirmed, wait_s=wait)
        done = bring_back(workspace, request, on_wait=tell_waiting)
    _show(done, as_json=as_json)


def _confirmed(what: str | None) -> bool:
    """Whether the user at the terminal wants it; where nobody can be asked, no."""
    if what == "live" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"put {what or 'the newest whole copy'} in place of the database?"
    return typer.confirm(question, err=True)


def _show(done: RestoreOutcome, *, as_json: bool) -> None:
    from ttapi.cli.session import tell

    if as_json:
        document = {
            "origin": done.origin,
            "generation": done.generation,
            "rows": done.rows,
            "aside": str(done.aside) if done.aside else None,
            "brought": [str(file) for file in done.brought],
        }
        typer.echo(json.dumps(document))
    rows = "" if done.rows is None else f", {amount(done.rows, 'row')} read and compared"
    tell(f"restored from {done.origin}{rows}; published as generation {done.generation}")
    if done.aside is not None:
        tell(f"what was there is kept in {done.aside}")
    for file in done.brought:
        tell(f"{file} was missing and came back")
