# SPDX-License-Identifier: Apache-2.0
"""`ttapi backup`: a sealed copy of the database and the user's own files, proved before it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.spans import amount

if TYPE_CHECKING:
    from ttapi.store.backup import Backup


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backup")(backup)


def backup(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder to put it in (default: HOME/backups).")
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", help="Keep that many, the oldest go.", min=1)
    ] = None,
    is_list: Annotated[bool, typer.Option("--list", help="List what there is instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
) -> None:
    """Seal a copy of everything committed, with models, plugins and settings but no secrets."""
    from ttapi.cli.journal import logged
    from ttapi.cli.session import open_workspace, require_home, tell, tell_waiting
    from ttapi.refresh.running.recovery import back_up
    from ttapi.store.backup import list_backups

    workspace = open_workspace(context)
    if is_list:
        if keep is not None:
            raise UsageError("--list changes nothing", hint="leave out --keep")
        place = to or workspace.home.backups
        found = list_backups(place)
        _show(found, as_json=as_json)
        if not found and not as_json:
            tell(f"{place} holds no backup: ttapi backup makes one")
        return
    require_home(workspace)
    folder = None if to is None else to.expanduser().absolute()
    with logged(workspace.home, "backup"):
        done = back_up(workspace, folder, keep=keep, wait_s=wait, on_wait=tell_waiting)
    _show([done.backup], as_json=as_json)
    tell(f"{done.backup.folder}: read back, equal in every table")
    for pruned in done.pruned:
        tell(f"{pruned}: no longer kept")


def _show(found: list[Backup], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_document(one) for one in found]))
        return
    for one in found:
        if one.manifest is None:
            typer.echo(f"{one.folder}  unusable: {one.error}")
            continue
        made = one.manifest
        typer.echo(
            f"{one.folder}  generation {made.generation}, {amount(made.contents.rows, 'row')},"
            f" {made.database.size / 1e6:,.1f} MB, {len(made.files)} own files"
        )


def _document(one: Backup) -> dict[str, object]:
    made = one.manifest
    return {
        "folder": str(one.folder),
        "error": one.error,
        "created_at": made.created_at.isoformat().replace("+00:00", "Z") if made else None,
        "generation": made.generation if made else None,
        "rows": made.contents.rows if made else None,
        "bytes": made.database.size if made else None,
        "sha256": made.database.sha256 if made else None,
        "ttapi": made.ttapi if made else None,
        "duckdb": made.duckdb if made else None,
    }
