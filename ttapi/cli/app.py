# SPDX-License-Identifier: Apache-2.0
"""The commands of `ttapi`, and the options all of them share."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="ttapi",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Options and market data in one DuckDB file that keeps itself fresh.",
    epilog="Exit codes: 0 ok; 1 a query or a unit failed; 2 usage or configuration; 3 every source out of"
    " reach; 4 data too old, or the refresh too dear; 5 the database is locked; 130 interrupted.",
)

# One line a command, in the order of the help: the module in this folder, and its command.
_COMMANDS = (
    "sources.init",
    "refresh.refresh",
    "refresh.status",
    "sql.sql",
    "export.export",
    "grid.grid",
    "sources.sources",
    "sources.login",
    "why.lineage",
    "why.why",
    "proof.lookahead",
    "proof.replay",
    "demo.demo",
    "simulate.simulate",
    "serve.stream",
    "serve.mcp",
    "serve.serve",
    "serve.user",
    "doctor.doctor",
    "doctor.verify",
    "doctor.backup",
    "doctor.restore",
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from ttapi import __version__

        typer.echo(f"ttapi {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=False)
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            help="The data folder (default: TTAPI_HOME, else the platform's).",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Keep the home folder for the command."""
    del version  # its callback has printed it and left
    context.obj = home


for _module, _, _command in (name.partition(".") for name in _COMMANDS):
    getattr(import_module(f"ttapi.cli.{_module}"), f"register_{_command}")(app)


@cache
def command() -> Any:
    """`app` as it is run: made of every command's signature, once a process."""
    return typer.main.get_command(app)
