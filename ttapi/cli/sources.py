# SPDX-License-Identifier: Apache-2.0
"""`ttapi init`: make the home, the file, its schemas and views.

`ttapi login`: a vendor's credentials asked for, tried, and kept where nobody else reads them.

`ttapi sources`: the plugins that are installed, what they offer, and why one does not load.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.api import plugins
from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.api import Environment, InstalledSource
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


def register_sources(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sources")(sources)


def sources(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One source.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check declarations and tell failed fetches; exit 1.")
    ] = False,
) -> None:
    """List installed sources and what they offer."""
    from ttapi.cli.terminal import open_environment

    environment = open_environment(context.obj)
    wanted = plugins.sources(environment, name)
    if validate:
        _validate(wanted, environment, as_json=as_json)
        return
    rows = [_document(installed, environment) for installed in wanted]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['error'] or row['about']}")
        typer.echo(f"  from {row['origin']}")
        for resource in row["resources"]:
            missing = (
                f", not configured: {resource['missing_setting']}; {resource['hint']}"
                if resource["missing_setting"]
                else f", {resource['error']}"
                if resource["error"]
                else ""
            )
            typer.echo(
                f"  {resource['dataset']}: {resource['about']} (ttl {resource['ttl']}{missing})"
            )
        for text in row["left_out"]:
            typer.echo(f"  left out: {text}")


def _validate(
    installed: Sequence[InstalledSource], environment: Environment, *, as_json: bool
) -> None:
    """Say what in each declaration breaks the contract, and which last fetch failed; exit 1 for either."""
    from ttapi.cli.terminal import tell

    problems = {one.origin: plugins.contract_problems(one) for one in installed}
    failures = {one.origin: plugins.last_failures(environment, one.source) for one in installed}
    if as_json:
        rows = [
            {
                "name": o.name,
                "origin": o.origin,
                "problems": problems[o.origin] + failures[o.origin],
            }
            for o in installed
        ]
        typer.echo(json.dumps(rows))
    else:
        for one in installed:
            typer.echo(f"{one.name}: {_verdict(problems[one.origin], failures[one.origin])}")
            for problem in problems[one.origin] + failures[one.origin]:
                typer.echo(f"  {problem}")
        tell("-- the declaration was checked; what is fetched is held to it by every refresh")
    if any(problems.values()) or any(failures.values()):
        raise typer.Exit(1)


def _verdict(problems: Sequence[str], failures: Sequence[str]) -> str:
    if problems:
        return "breaks the contract"
    return (
        "declares what it should, and its last fetch failed" if failures else "keeps the contract"
    )


def _document(installed: InstalledSource, environment: Environment) -> dict[str, Any]:

    source = installed.source
    resources = plugins.configured_resources(environment, source) if source else []
    return {
        "name": installed.name,
        "origin": installed.origin,
        "about": source.about if source else None,
        "version": source.version if source else None,
        "error": installed.error,
        "settings": list(source.setting_names) if source else [],
        "resources": [asdict(one) for one in resources],
        "left_out": plugins.left_out_models(environment, source) if source else [],
    }
