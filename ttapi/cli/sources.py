# SPDX-License-Identifier: Apache-2.0
"""`ttapi sources`: the plugins that are installed, what they offer, and why one does not load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.refresh.workspace import Workspace
    from ttapi.sources.contract import Source
    from ttapi.sources.discovery import InstalledSource


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sources")(sources)


def sources(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One source.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Say what breaks the plugin contract; exit 1.")
    ] = False,
) -> None:
    """List installed sources and what they offer."""
    from ttapi.cli.session import open_workspace

    workspace = open_workspace(context)
    wanted = _named(workspace.sources, name)
    if validate:
        _validate(wanted, as_json)
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
                f", not configured: {resource['missing_setting']}"
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


def _validate(installed: Sequence[InstalledSource], as_json: bool) -> None:
    from ttapi.sources.testing.static import static_problems

    problems = {
        one.origin: [one.error or "does not load"]
        if one.source is None
        else static_problems(one.source)
        for one in installed
    }
    if as_json:
        rows = [
            {"name": o.name, "origin": o.origin, "problems": problems[o.origin]} for o in installed
        ]
        typer.echo(json.dumps(rows))
    else:
        for one in installed:
            found = problems[one.origin]
            typer.echo(
                f"{one.name}: {'keeps the contract' if not found else 'breaks the contract'}"
            )
            for problem in found:
                typer.echo(f"  {problem}")
    if any(problems.values()):
        raise typer.Exit(1)


def _document(installed: InstalledSource, workspace: Workspace) -> dict[str, Any]:
    source = installed.source
    offered = []
    if source is not None:
        context = workspace.context(source)
        offered = [
            {
                "dataset": f"raw.{resource.table}",
                "about": resource.about,
                "ttl": resource.ttl,
                "missing_setting": source.missing_setting(resource, context),
            }
            for resource in source.resources
        ]
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


def _left_out(source: Source, workspace: Workspace) -> list[str]:
    """Why models that `source` brings are left out."""
    folder = source.sql_folder
    if folder is None:
        return []
    return [
        str(error) for error in workspace.broken.values() if (folder.parent / error.file).is_file()
    ]
