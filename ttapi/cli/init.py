# SPDX-License-Identifier: Apache-2.0
"""`ttapi init`: make the home, the file, its schemas and views.

`ttapi login`: a vendor's credentials asked for, tried, and kept where nobody else reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.secret import Secret


def register_init(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    context: typer.Context,
    metastock: Annotated[
        Path | None,
        typer.Option(
            "--metastock", help="A folder or zip of MetaStock ASCII files, noted in ttapi.toml."
        ),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
) -> None:
    """Create the data folder, the database and every view; harmless when run again."""
    from ttapi.cli.report import run_init

    run_init(context.obj, metastock=metastock, wait_s=wait)


def register_login(app: typer.Typer) -> None:
    """Add the command."""
    app.command("login")(login)


def login(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Whose credentials.")] = "tastytrade",
    is_forgotten: Annotated[bool, typer.Option("--forget", help="Remove them instead.")] = False,
    is_unproved: Annotated[
        bool, typer.Option("--no-check", help="Store them without asking the vendor.")
    ] = False,
) -> None:
    """Store a vendor's credentials: asked for on the terminal, or read from standard input.

    They go into the platform's keyring where there is one, else into a sealed file of the home.
    """
    from ttapi.api import plugins
    from ttapi.cli.terminal import open_environment, require_home, tell

    environment = open_environment(context.obj)
    require_home(environment)
    names = plugins.secret_names(environment, source)
    if is_forgotten:
        plugins.log_out(environment, source)
        tell(f"{source}: forgotten")
        return
    secrets = _asked(source, names)
    if not is_unproved:
        tell(f"{source}: {plugins.prove_login(environment, source, secrets)}")
    tell(f"{source}: stored in {plugins.log_in(environment, source, secrets)}")


def _asked(source: str, names: Sequence[str]) -> Mapping[str, Secret]:
    """One secret a name: without echo on a terminal, else a line of standard input each."""
    from getpass import getpass

    from ttapi.secret import Secret

    found: dict[str, Secret] = {}
    for name in names:
        shown = f"{source} {name.replace('_', ' ')}: "
        text = getpass(shown) if sys.stdin.isatty() else sys.stdin.readline()
        if not text.strip():
            raise UsageError(
                f"no {name} was given",
                hint=f"one line each on standard input: {', '.join(names)}",
            )
        found[name] = Secret(text.strip())
    return found
