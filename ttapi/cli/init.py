# SPDX-License-Identifier: Apache-2.0
"""`ttapi init`: make the home, the file, its schemas and views."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ttapi.errors import UsageError


def register(app: typer.Typer) -> None:
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
    from ttapi.cli.journal import logged
    from ttapi.cli.session import open_workspace, tell, tell_waiting
    from ttapi.config import load_settings
    from ttapi.refresh.running.runner import run_refresh
    from ttapi.refresh.running.steps import RefreshRequest
    from ttapi.refresh.workspace import Workspace
    from ttapi.store.database import init_home

    workspace = open_workspace(context)
    home = workspace.home
    if metastock is not None and not metastock.exists():
        raise UsageError(
            f"{metastock} does not exist",
            hint="name a folder of .csv/.txt files, or a .zip of them",
        )
    init_home(home, wait_s=wait, on_wait=tell_waiting, now=workspace.now)
    if metastock is not None:
        _note_metastock(home.settings_file, metastock.absolute())
        import os

        workspace = Workspace(home, load_settings(home, os.environ), workspace.now)
    with logged(home, "init"):
        run_refresh(
            workspace,
            RefreshRequest(
                targets=("calendar", "raw.shipped_universes", "expiration_series"),
                wait_s=wait,
                command="ttapi init",
            ),
            on_wait=tell_waiting,
        )
    tell(f"{home.root} is ready; any DuckDB client opens {home.public_file}")
    tell('next: ttapi refresh, or ttapi sql "select * from volatility_latest"')


def _note_metastock(file: Path, folder: Path) -> None:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    path = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    line = f'path = "{path}"'
    if line in text:
        return
    if "[sources.metastock]" in text:
        raise UsageError(
            f"{file} has a [sources.metastock] section already",
            hint=f"set {line} in it, or remove the section",
        )
    separator = "" if not text or text.endswith("\n") else "\n"
    file.write_text(f"{text}{separator}[sources.metastock]\n{line}\n", encoding="utf-8")
    file.chmod(0o600)
