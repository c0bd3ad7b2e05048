# SPDX-License-Identifier: Apache-2.0
"""`ttapi mcp`: what a language model may ask of a home, on standard streams."""

from __future__ import annotations

from typing import Annotated

import typer

from ttapi.extras import require_extra


def register_mcp(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(mcp)


def mcp(
    context: typer.Context,
    private: Annotated[
        bool, typer.Option("--private", help="Show private datasets, such as accounts, too.")
    ] = False,
    allow_refresh: Annotated[
        bool,
        typer.Option(
            "--allow-refresh",
            help="Refresh what a query reads, within [refresh] max_calls, and offer the tool refresh.",
        ),
    ] = False,
) -> None:
    """Serve the Model Context Protocol on standard streams: list, describe, query, plan, why.

    SQL is read-only and runs in processes of its own, on the published file. Standard output carries the
    protocol alone.
    """
    require_extra("server", "mcp", "ttapi mcp")

    from ttapi.api import SandboxedDatabase
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home
    from ttapi.server.mcp import make_server

    environment = open_environment(context.obj)
    require_home(environment)
    calls = environment.settings.max_calls if allow_refresh else None
    with (
        run_log(environment.home, "mcp"),
        SandboxedDatabase(environment.home, is_private_hidden=not private) as database,
    ):
        database.start()
        make_server(database, max_calls=calls).run("stdio")
