# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql`: refresh what a query reads, run it, write its rows."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from ttapi.refresh.query import Prepared
    from ttapi.refresh.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    context: typer.Context,
    statement: Annotated[str | None, typer.Argument(help="SQL to run.", show_default=False)] = None,
    command: Annotated[str | None, typer.Option("-c", "--command", help="SQL to run.")] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="A file of SQL to run.")] = None,
    fmt: Annotated[
        str, typer.Option("--format", help="table, csv, json, jsonl, markdown, parquet or arrow.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the rows there.")
    ] = None,
    no_refresh: Annotated[
        bool, typer.Option("--no-refresh", help="Answer from what is there.")
    ] = False,
    max_age: Annotated[
        str | None, typer.Option("--max-age", help="Refuse older data: 5m, 2h, 1d.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the lock.")] = 60.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on with a refresh above the budget.")
    ] = False,
) -> None:
    """Run SQL on data made fresh first."""
    from ttapi.cli.journal import logged
    from ttapi.cli.output import FORMATS
    from ttapi.cli.progress import watched
    from ttapi.cli.session import open_workspace, require_home, tell, tell_waiting
    from ttapi.refresh.query import QueryRequest, prepare_query
    from ttapi.refresh.ttl import parse_duration

    if fmt not in FORMATS:
        raise UsageError(f"{fmt!r} is no format", hint=", ".join(FORMATS))
    text = _text(statement, command, file)
    workspace = open_workspace(context)
    require_home(workspace)
    request = QueryRequest(
        text,
        refresh=not no_refresh,
        max_age=parse_duration(max_age) if max_age else None,
        wait_s=wait,
        is_budget_waived=yes,
    )
    confirm = typer.confirm if sys.stdin.isatty() and sys.stderr.isatty() else None
    with logged(workspace.home, "sql"):
        with watched() as progress:
            prepared = prepare_query(
                workspace, request, progress=progress, on_wait=tell_waiting, confirm=confirm
            )
        for warning in prepared.warnings:
            tell(f"ttapi: {warning}")
        _tell_inputs(prepared)
        _run(workspace, text, fmt, output)


def _run(workspace: Workspace, text: str, fmt: str, output: Path | None) -> None:
    from ttapi.cli.output import write_result
    from ttapi.cli.session import seconds_text, tell
    from ttapi.store.snapshot import open_snapshot, run_statement, split_statements

    with closing(open_snapshot(workspace.home)) as connection:
        statements = split_statements(connection, text)
        last = max((n for n, (_, has_rows) in enumerate(statements) if has_rows), default=-1)
        for number, (one, has_rows) in enumerate(statements):
            started = time.monotonic()
            table = run_statement(connection, one)
            seconds = time.monotonic() - started
            # One file, and one JSON array, hold one answer: the last.
            is_shown = number == last or (output is None and fmt in {"table", "markdown", "csv"})
            if table is None or not has_rows or not is_shown:
                continue
            remark = write_result(table, fmt, output, zone=workspace.settings.display_timezone)
            rows = f"{table.num_rows:,} row{'s' if table.num_rows != 1 else ''}"
            tell(f"-- {rows}, {seconds_text(seconds)}")
            if remark:
                tell(f"-- {remark}")


def _tell_inputs(prepared: Prepared) -> None:
    from ttapi.cli.session import seconds_text, tell

    if prepared.outcome is None:
        tell(f"-- 0 calls, {seconds_text(prepared.planned_s)}")
    else:
        done = prepared.outcome.datasets
        seconds = sum(d.seconds for d in done)
        calls = prepared.source_calls
        changed = [d.dataset for d in done if d.is_changed]
        slices = f"fetched {calls:,} slice{'s' if calls != 1 else ''}"
        tell(f"-- {slices if calls else 'brought up to date'}, {seconds_text(seconds)}")
        if changed:
            tell(f"-- changed: {', '.join(changed)}")
        for one in done:
            if one.rows_refused:
                tell(f"-- {one.dataset}: {one.rows_refused:,} rows refused; select * from rejects")
            for failure in ([one.error] if one.error else []) + list(one.failed_units[:3]):
                tell(f"-- {one.dataset}: {failure}")
    ages = ", ".join(
        f"{age.dataset} {'never loaded' if age.age_s is None else seconds_text(max(0.0, age.age_s)) + ' old'}"
        for age in prepared.ages
    )
    if ages:
        tell(f"-- inputs: {ages}")
    if prepared.unconfigured:
        tell(f"-- not configured, so empty: {', '.join(prepared.unconfigured)}")


def _text(statement: str | None, command: str | None, file: Path | None) -> str:
    given = [text for text in (statement, command, file) if text is not None]
    if len(given) > 1:
        raise UsageError("give SQL once: as an argument, with -c, or with -f")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{file} cannot be read: {exc}") from exc
    text = statement if statement is not None else command
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read()
    if text is None or not text.strip():
        raise UsageError("no SQL given", hint='ttapi sql -c "select * from volatility_latest"')
    return text
