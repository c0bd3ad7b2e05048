# SPDX-License-Identifier: Apache-2.0
"""`ttapi sources`: the plugins that are installed, what they offer, and why one does not load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ttapi.refresh.workspace import Workspace
    from ttapi.sources.discovery import InstalledSource


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sources")(sources)


def sources(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List installed sources and what they offer."""
    from ttapi.cli.session import open_workspace

    workspace = open_workspace(context)
    rows = [_document(installed, workspace) for installed in workspace.sources]
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
    }
