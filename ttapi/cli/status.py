# SPDX-License-Identifier: Apache-2.0
"""`ttapi status`: verdict, reasons and age of every dataset; opens no database, takes no lock."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command and its alias."""
    app.command("status")(status)
    app.command("datasets", hidden=True)(status)


def status(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(help="One dataset; none: all.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say how fresh every dataset is, and why."""
    from ttapi.cli.report import report_status

    report_status(context.obj, dataset, as_json)
