# SPDX-License-Identifier: Apache-2.0
"""`ttapi export`: relations or queries as files; a shareable copy of the database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from ttapi.api import Environment, ExportFiles, Freshness


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
    from ttapi.api import ExportFiles, Freshness, export_formats
    from ttapi.cli.terminal import open_environment, require_home
    from ttapi.home import refuse_home_path

    environment = open_environment(context.obj)
    require_home(environment)
    if database is not None:
        if relation is not None or to is not None:
            raise UsageError(
                "--database copies the whole file", hint="leave out the relation and --to"
            )
        _copy_database(environment, database)
        return
    if relation is None or to is None:
        raise UsageError("name a relation and a folder", hint="ttapi export eod --to exports")
    sql, stem = _select(relation, name)
    refuse_home_path(to / stem)
    columns = [c.strip() for c in (partition_by or "").split(",") if c.strip()]
    files = ExportFiles(to, stem, export_formats(fmt.split(",")), columns, formula_safe)
    freshness = Freshness(not no_refresh, wait_s=wait, is_budget_waived=yes)
    _write_files(environment, sql, freshness, files)


def _select(relation: str, name: str | None) -> tuple[str, str]:
    if re.fullmatch(r"\w+(\.\w+)?", relation):
        return f"select * from {relation}", name or relation
    return relation, name or "query"


def _write_files(
    environment: Environment, sql: str, freshness: Freshness, files: ExportFiles
) -> None:
    from ttapi.api import Database, Watchers, operations
    from ttapi.cli.entry import run_log
    from ttapi.cli.terminal import tell, tell_waiting, watched

    with run_log(environment.home, "export"):
        with Database(environment.home) as database, watched() as progress:
            watchers = Watchers(progress, tell_waiting)
            database.prepare(sql, freshness=freshness, watchers=watchers)
        for target, rows in operations.export(environment.home, sql, files):
            tell(f"{target}: {amount(rows, 'row')}")


def _copy_database(environment: Environment, target: Path) -> None:
    from ttapi.api import operations
    from ttapi.cli.terminal import tell

    done = operations.share(environment, target)
    for name in done.left_out:
        tell(f"left out: {name}")
    tell(f"{done.file}: {done.size / 1e6:,.1f} MB, opened by any DuckDB client from 1.2 on")
