# SPDX-License-Identifier: Apache-2.0
"""`ttapi sources`: the plugins that are installed, what they offer, and why one does not load."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.api import plugins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api import Environment, InstalledSource


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
