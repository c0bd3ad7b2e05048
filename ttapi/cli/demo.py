# SPDX-License-Identifier: Apache-2.0
"""`ttapi demo`: what `make demo` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    symbols: Annotated[int, typer.Option(help="Invented symbols.", hidden=True)] = 60,
    sessions: Annotated[int, typer.Option(help="Sessions of each.", hidden=True)] = 600,
) -> None:
    """Build a synthetic market in ./demo (or --home) and show the tool on it."""
    from ttapi.cli.demo_home import make_demo_home
    from ttapi.cli.demonstration import show_demonstration

    home = make_demo_home(context.obj or Path("demo"), symbols=symbols, sessions=sessions)
    show_demonstration(home)
