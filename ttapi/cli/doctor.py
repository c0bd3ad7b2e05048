# SPDX-License-Identifier: Apache-2.0
"""`ttapi doctor`: what is wrong with the home, and the one command that repairs each finding.

`ttapi verify`: the doctor's deep examination.

`ttapi backup`: a sealed copy of the database and the user's own files, proved before it counts.

`ttapi restore`: the database brought back from a backup, a published file, or itself.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from ttapi.api import Backup, Diagnosis, RestoreOutcome


def register_doctor(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every block, under the lock (as ttapi verify).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds --deep waits for the lock.")
    ] = 60.0,
) -> None:
    """Say what is wrong, how one sees it, and the command that repairs it.

    Exit code 1 when an error is among the findings; warnings and notes leave it 0.
    """
    report(context, is_deep=deep, as_json=as_json, wait_s=wait)


def report(context: typer.Context, *, is_deep: bool, as_json: bool, wait_s: float) -> None:
    """Examine the home and write what was found. *Raises* typer.Exit(1) for an error among it."""
    import shlex

    from ttapi.api import operations
    from ttapi.home import find_home

    home = find_home(context.obj, os.environ)
    prefix = f"ttapi --home {shlex.quote(str(home.root))}" if context.obj else "ttapi"
    found = operations.examine(
        home, clock=datetime.now(UTC), prefix=prefix, is_deep=is_deep, wait_s=wait_s
    )
    if as_json:
        typer.echo(json.dumps(_document(found, str(home.root))))
    else:
        _show(found, str(home.root))
    if found.has_errors:
        raise typer.Exit(1)


def _document(found: Diagnosis, home: str) -> dict[str, object]:
    return {
        "home": home,
        "versions": dict(found.versions),
        "is_well": found.is_well,
        "findings": [
            {
                "code": one.code,
                "severity": one.severity,
                "about": one.about,
                "evidence": one.evidence,
                "command": one.command,
            }
            for one in found.findings
        ],
    }


def _show(found: Diagnosis, home: str) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    typer.echo(f"{home} ({versions})")
    for one in found.findings:
        typer.echo(f"{one.severity}: {one.code}: {one.about}")
        typer.echo(f"    {one.evidence}")
        typer.echo(f"    -> {one.command}")
    if found.is_well:
        typer.echo("nothing is wrong")
    elif not found.has_errors:
        typer.echo("everything works; mind the warnings")


def register_verify(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
) -> None:
    """Read every block, hold the ledger against the data and the published file against the live one.

    Exit code 1 when an error is among the findings; warnings and notes leave it 0.
    """
    report(context, is_deep=True, as_json=as_json, wait_s=wait)


def register_backup(app: typer.Typer) -> None:
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
    from ttapi.api import BackupRequest, list_backups, operations
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home, tell, tell_waiting

    environment = open_environment(context.obj)
    if is_list:
        if keep is not None:
            raise UsageError("--list changes nothing", hint="leave out --keep")
        place = to or environment.home.backups
        found = list_backups(place)
        _show_backup(found, as_json=as_json)
        if not found and not as_json:
            tell(f"{place} holds no backup: ttapi backup makes one")
        return
    require_home(environment)
    folder = None if to is None else to.expanduser().absolute()
    with run_log(environment.home, "backup"):
        request = BackupRequest(folder, keep, wait)
        done = operations.back_up(environment, request, on_wait=tell_waiting)
    _show_backup([done.backup], as_json=as_json)
    tell(f"{done.backup.folder}: read back, equal in every table")
    for pruned in done.pruned:
        tell(f"{pruned}: no longer kept")


def _show_backup(found: list[Backup], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_outcome_document(one) for one in found]))
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


def _outcome_document(one: Backup) -> dict[str, object]:
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


def register_restore(app: typer.Typer) -> None:
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
    from ttapi.api import RestoreRequest, operations
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, tell_waiting

    environment = open_environment(context.obj)
    operations.prepare_restore(environment.home, what)
    is_confirmed = yes or _confirmed(what)
    with run_log(environment.home, "restore"):
        request = RestoreRequest(what, is_confirmed=is_confirmed, wait_s=wait)
        done = operations.restore(environment, request, on_wait=tell_waiting)
    _show_restored(done, as_json=as_json)


def _confirmed(what: str | None) -> bool:
    """Whether the user at the terminal wants it; where nobody can be asked, no."""
    if what == "live" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = f"put {what or 'the newest whole copy'} in place of the database?"
    return typer.confirm(question, err=True)


def _show_restored(done: RestoreOutcome, *, as_json: bool) -> None:
    from ttapi.cli.terminal import tell

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
