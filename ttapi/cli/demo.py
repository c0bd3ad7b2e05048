# SPDX-License-Identifier: Apache-2.0
"""`ttapi demo`: what `make demo` runs."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(context: typer.Context) -> None:
    """Build a synthetic market in the home folder and show the tool on it."""
    from ttapi.cli.demonstration import run_demonstration

    run_demonstration(context.obj)
