# SPDX-License-Identifier: Apache-2.0
"""`ttapi export`: relations or queries as files; a shareable copy of the database."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import QueryError, UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.refresh.installation import Workspace
    from ttapi.refresh.query import QueryRequest
    from ttapi.store.engine import Connection
    from ttapi.store.export import ExportFormat


@dataclass(frozen=True)
class _Files:
    """Which files the rows of a query become."""

    folder: Path
    stem: str
    formats: Sequence[ExportFormat]
    partition_by: Sequence[str]
    is_formula_safe: bool


def register_export(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    context: typer.Context,
    relation: Annotated[
        str | None, typer.Argument(help="A relation, or one SELECT.", show_default=False)
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="The folder to write to.")] = None,
    fmt: Annotated[str, typer.Option("--format", help="parquet, csv, or both.")] = "parquet",
    partition_by: Annotated[
        str | None, typer.Option("--partition-by", help="Columns, for Parquet.")
    ] = None,
    formula_safe: Annotated[
        bool, typer.Option("--formula-safe", help="Keep a spreadsheet from running text cells.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="The file's name, when a SELECT is given.")
    ] = None,
    database: Annotated[
        Path | None, typer.Option("--database", help="Write a shareable database file instead.")
    ] = None,
    no_refresh: Annotated[bool, typer.Option("--no-refresh", help="Write what is there.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Go on above the budget.")] = False,
) -> None:
    """Write a relation or a query to files, made fresh first."""
    from ttapi.cli.terminal import open_workspace, require_home
    from ttapi.home import refuse_home_path
    from ttapi.refresh.maintenance import export_formats
    from ttapi.refresh.query import QueryRequest

    workspace = open_workspace(context)
    require_home(workspace)
    if database is not None:
        if relation is not None or to is not None:
            raise UsageError(
                "--database copies the whole file", hint="leave out the relation and --to"
            )
        _copy_database(workspace, database)
        return
    if relation is None or to is None:
        raise UsageError("name a relation and a folder", hint="ttapi export eod --to exports")
    sql, stem = _select(relation, name)
    refuse_home_path(to / stem)
    columns = [c.strip() for c in (partition_by or "").split(",") if c.strip()]
    files = _Files(to, stem, export_formats(fmt.split(",")), columns, formula_safe)
    request = QueryRequest(sql, refresh=not no_refresh, wait_s=wait, is_budget_waived=yes)
    _write_files(workspace, request, files)


def _select(relation: str, name: str | None) -> tuple[str, str]:
    if re.fullmatch(r"\w+(\.\w+)?", relation):
        return f"select * from {relation}", name or relation
    return relation, name or "query"


def _write_files(workspace: Workspace, request: QueryRequest, files: _Files) -> None:
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import tell_waiting, watched
    from ttapi.refresh.query import prepare_query
    from ttapi.store.reader import open_snapshot

    with run_log(workspace.home, "export"):
        with watched() as progress:
            prepare_query(workspace, request, progress=progress, on_wait=tell_waiting)
        try:
            files.folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise UsageError(f"{files.folder} cannot be a folder: {exc.strerror}") from exc
        with closing(open_snapshot(workspace.home)) as connection:
            _write_rows(connection, request.sql, files)


def _write_rows(connection: Connection, sql: str, files: _Files) -> None:
    from ttapi.api.suggestions import with_suggestion
    from ttapi.cli.terminal import tell
    from ttapi.store.export import export_query, export_target

    for one in files.formats:
        target = export_target(files.folder, files.stem, one)
        try:
            rows = export_query(
                connection,
                sql,
                target,
                one,
                partition_by=files.partition_by,
                is_formula_safe=files.is_formula_safe,
            )
        except QueryError as exc:
            raise with_suggestion(exc, sql, lambda ask: connection.execute(ask).fetchall()) from exc
        tell(f"{target}: {amount(rows, 'row')}")


def _copy_database(workspace: Workspace, target: Path) -> None:
    from ttapi.cli.terminal import tell
    from ttapi.store.share import share_database

    private = {n for n, d in workspace.datasets.items() if d.is_private}
    done = share_database(workspace.home, target, private)
    for name in done.left_out:
        tell(f"left out: {name}")
    tell(f"{done.file}: {done.size / 1e6:,.1f} MB, opened by any DuckDB client from 1.2 on")
