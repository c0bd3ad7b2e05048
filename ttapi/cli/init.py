# SPDX-License-Identifier: Apache-2.0
"""`ttapi init`: make the home, the file, its schemas and views.

`ttapi login`: a vendor's credentials asked for, tried, and kept where nobody else reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.refresh.installation import Workspace
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
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import open_workspace, tell, tell_waiting
    from ttapi.config import load_settings
    from ttapi.refresh.installation import Workspace
    from ttapi.refresh.runner import run_refresh
    from ttapi.refresh.steps import RefreshRequest
    from ttapi.store.store import init_home

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
    with run_log(home, "init"):
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
    from ttapi.cli.terminal import open_workspace, require_home, tell
    from ttapi.sources.credentials import forget_secrets, store_secrets

    workspace = open_workspace(context)
    require_home(workspace)
    plugin = _source(workspace, source)
    names: tuple[str, ...] = plugin.secret_names
    if is_forgotten:
        forget_secrets(source, names, workspace.home.root)
        tell(f"{source}: forgotten")
        return
    secrets = _asked(source, names)
    if not is_unproved:
        tell(f"{source}: {_proved(workspace, plugin, secrets)}")
    given = {(source, name): secret for name, secret in secrets.items()}
    where = store_secrets(given, workspace.home.root)
    tell(f"{source}: stored in {where}")


def _source(workspace: Workspace, name: str) -> Any:
    """The installed source of that name. *Raises* UsageError for one that has no login."""
    with_login = {
        installed.name: installed.source
        for installed in workspace.sources
        if getattr(installed.source, "secret_names", ())
    }
    if name not in with_login:
        known = ", ".join(sorted(with_login)) or "none"
        raise UsageError(f"{name!r} is no source with a login", hint=f"known: {known}")
    return with_login[name]


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


def _proved(workspace: Workspace, plugin: Any, secrets: Mapping[str, Secret]) -> str:
    """What the vendor says to these credentials. *Raises* CredentialError, SourceDownError."""
    from dataclasses import replace

    from ttapi.sources.traffic import Traffic

    context = workspace.context(plugin)
    given = {name: secret.reveal() for name, secret in secrets.items()}
    trial = replace(context, settings={**context.settings, **given}, home=None, traffic=Traffic())
    answer: str = plugin.prove_login(trial)
    return answer
