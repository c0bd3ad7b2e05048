# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql`: a shell on a terminal; with SQL, refresh what it reads, run it, write its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ttapi.errors import UsageError

_SHORTHANDS = ("csv", "json", "jsonlines", "markdown", "box", "line")


def register_sql(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    context: typer.Context,
    statement: Annotated[
        str | None, typer.Argument(help="SQL to run; none: a shell.", show_default=False)
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Option("-c", "--command", help="SQL to run; given again, one after the other."),
    ] = None,
    file: Annotated[Path | None, typer.Option("-f", "--file", help="A file of SQL to run.")] = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto (duckbox on a terminal, else csv), duckbox, box, table, markdown, line, csv,"
            " json, jsonl, html, parquet or arrow.",
        ),
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the rows there.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="--format csv")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="--format json")] = False,
    as_jsonlines: Annotated[bool, typer.Option("--jsonlines", help="--format jsonl")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="--format markdown")] = False,
    as_box: Annotated[bool, typer.Option("--box", help="--format box")] = False,
    as_line: Annotated[bool, typer.Option("--line", help="--format line")] = False,
    max_rows: Annotated[
        int, typer.Option("--maxrows", min=0, help="Rows that formats for people show; 0: all.")
    ] = 1000,
    no_header: Annotated[bool, typer.Option("--no-header", help="Leave out column names.")] = False,
    separator: Annotated[str, typer.Option("--separator", help="Between the cells of csv.")] = ",",
    nullvalue: Annotated[
        str | None, typer.Option("--nullvalue", help="Text of a missing value.")
    ] = None,
    init: Annotated[
        Path | None, typer.Option("--init", help="Run this script first.", show_default=False)
    ] = None,
    no_init: Annotated[bool, typer.Option("--no-init", help="Leave shellrc unread.")] = False,
    bail: Annotated[
        bool | None,
        typer.Option("--bail/--no-bail", help="End at the first error (default with SQL given)."),
    ] = None,
    readonly: Annotated[
        bool, typer.Option("--readonly", help="As ever: the published file is never written.")
    ] = False,
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
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Answer with what was known then: a day (to its end), or an instant (UTC, or with an"
            " offset).",
        ),
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="Leave a receipt there, for ttapi replay.")
    ] = None,
) -> None:
    """Run SQL on data made fresh first; without SQL, on a terminal, open the shell."""
    from ttapi.api import Freshness
    from ttapi.cli.shell.options import DisplayOptions
    from ttapi.cli.shell.start import Start, asked_format, given_text, run_sql

    del readonly  # every session reads the published file only
    flags = (as_csv, as_json, as_jsonlines, as_markdown, as_box, as_line)
    options = DisplayOptions(
        format=asked_format(
            fmt, [name for name, flag in zip(_SHORTHANDS, flags, strict=True) if flag]
        ),
        max_rows=max_rows,
        has_header=not no_header,
        separator=_separator(separator),
        null=nullvalue,
        once=output,
    )
    freshness = Freshness(not no_refresh, _age(max_age), wait, is_budget_waived=yes)
    start = Start(context.obj, init, not no_init, freshness, _past(as_of))
    text = given_text(statement, command, file)
    code = run_sql(start, options, text, bail=bail, receipt=receipt)
    if code:
        raise typer.Exit(code)


def _separator(text: str) -> str:
    """One character; backslash t is a tab. *Raises* UsageError."""
    character = text.replace("\\t", "\t")
    if len(character) != 1:
        raise UsageError(f"--separator {text!r} is not one character", hint="--separator ';'")
    return character


def _age(text: str | None) -> str | None:
    """A duration as it was given. *Raises* UsageError for a text that is none."""
    from ttapi.api import parse_duration

    if text is not None:
        parse_duration(text)
    return text


def _past(text: str | None) -> str | None:
    """A point in time as it was given. *Raises* UsageError for a text that is none, or the future."""
    import os

    from ttapi.api import parse_as_of
    from ttapi.clock import clock_from

    if text is not None:
        parse_as_of(text, clock_from(os.environ).now())
    return text
