# SPDX-License-Identifier: Apache-2.0
"""`ttapi serve`: the home over HTTP, until interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def register_serve(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine: TLS or a proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 8321,
    port_file: Annotated[
        Path | None, typer.Option(help="Write {base_url, token, pid} to this file, too (0600).")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(help="CIDR of a proxy that has TLS: connections come from it alone."),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(help="Record live events of these symbols (A,B) and send them on."),
    ] = None,
    is_scheduled: Annotated[
        bool, typer.Option("--scheduler/--no-scheduler", help="Keep datasets inside their TTL.")
    ] = True,
) -> None:
    """Serve the home as REST on loopback, and keep its datasets fresh, until interrupted.

    The token is in live/token of the home, for its owner alone.
    """
    from ttapi.extras import require_extra

    require_extra("server", "fastapi", "ttapi serve")
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_environment, require_home, tell
    from ttapi.server.daemon import ServeOptions
    from ttapi.server.daemon import serve as run

    environment = open_environment(context.obj)
    require_home(environment)
    symbols = tuple(one.strip().upper() for one in (stream or "").split(",") if one.strip())
    proxies = tuple(behind_proxy or ())
    options = ServeOptions(host, port, port_file, tls_cert, tls_key, proxies, is_scheduled, symbols)
    with run_log(environment.home, "serve"):
        run(environment.home, options, os.environ, tell)
