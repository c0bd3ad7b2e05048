# SPDX-License-Identifier: Apache-2.0
"""`ttapi verify`: the doctor's deep examination."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
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
    from ttapi.cli.doctor import report

    report(context, is_deep=True, as_json=as_json, wait_s=wait)
