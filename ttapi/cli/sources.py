# SPDX-License-Identifier: Apache-2.0
"""`ttapi sources`: the plugins that are installed, what they offer, and why one does not load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.refresh.installation import Workspace
    from ttapi.sources.contract import Resource, Source, SourceContext
    from ttapi.sources.discovery import InstalledSource


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
    from ttapi.cli.terminal import open_workspace

    workspace = open_workspace(context)
    wanted = _named(workspace.sources, name)
    if validate:
        _validate(wanted, workspace, as_json=as_json)
        return
    rows = [_document(installed, workspace) for installed in wanted]
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
                else ""
            )
            typer.echo(
                f"  {resource['dataset']}: {resource['about']} (ttl {resource['ttl']}{missing})"
            )
        for text in row["left_out"]:
            typer.echo(f"  left out: {text}")


def _named(installed: Sequence[InstalledSource], name: str | None) -> list[InstalledSource]:
    """All of `installed`, or those called `name`. *Raises* UsageError where none is."""
    found = [one for one in installed if name is None or one.name == name]
    if not found:
        known = ", ".join(sorted(one.name for one in installed))
        raise UsageError(f"no source is called {name!r}", hint=f"installed: {known}")
    return found


def _validate(installed: Sequence[InstalledSource], workspace: Workspace, *, as_json: bool) -> None:
    """Say what in each declaration breaks the contract, and which last fetch failed; exit 1 for either."""
    from ttapi.cli.terminal import tell
    from ttapi.sources.testing.kit import static_problems

    problems = {
        one.origin: [one.error or "does not load"]
        if one.source is None
        else static_problems(one.source)
        for one in installed
    }
    failures = {one.origin: _last_failures(one.source, workspace) for one in installed}
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


def _last_failures(source: Source | None, workspace: Workspace) -> list[str]:
    """What the last fetch of each dataset of `source` ended in, where it failed."""
    states = workspace.home_state.states
    names = [f"raw.{resource.table}" for resource in source.resources] if source else []
    return [
        f"{name}: the last fetch failed: {states[name].error}"
        for name in names
        if name in states and states[name].error
    ]


def _document(installed: InstalledSource, workspace: Workspace) -> dict[str, Any]:
    source = installed.source
    offered = []
    if source is not None:
        context = workspace.context(source)
        offered = [_offer(source, resource, context) for resource in source.resources]
    return {
        "name": installed.name,
        "origin": installed.origin,
        "about": source.about if source else None,
        "version": source.version if source else None,
        "error": installed.error,
        "settings": list(source.setting_names) if source else [],
        "resources": offered,
        "left_out": _left_out(source, workspace) if source else [],
    }


def _offer(source: Source, resource: Resource, context: SourceContext) -> dict[str, Any]:
    from ttapi.sources.credentials import how_to_give

    missing = source.missing_setting(resource, context)
    return {
        "dataset": f"raw.{resource.table}",
        "about": resource.about,
        "ttl": resource.ttl,
        "missing_setting": missing,
        "hint": how_to_give(source, missing) if missing else None,
    }


def _left_out(source: Source, workspace: Workspace) -> list[str]:
    """Why models that `source` brings are left out."""
    folder = source.sql_folder
    if folder is None:
        return []
    return [
        str(error) for error in workspace.broken.values() if (folder.parent / error.file).is_file()
    ]
