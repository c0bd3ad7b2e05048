# SPDX-License-Identifier: Apache-2.0
"""`ttapi doctor`: what is wrong with the home, and the one command that repairs each finding.

`ttapi verify`: the doctor's deep examination.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ttapi.api import Diagnosis


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
