# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql`: a shell on a terminal; with SQL, refresh what it reads, run it, write its rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.cli.shell.options import DisplayOptions
    from ttapi.cli.shell.start import Start

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
    from ttapi.cli.shell.start import Start

    del readonly  # every session reads the published file only
    flags = (as_csv, as_json, as_jsonlines, as_markdown, as_box, as_line)
    options = DisplayOptions(
        format=_format(fmt, [name for name, flag in zip(_SHORTHANDS, flags, strict=True) if flag]),
        max_rows=max_rows,
        has_header=not no_header,
        separator=_separator(separator),
        null=nullvalue,
        once=output,
    )
    freshness = Freshness(not no_refresh, _age(max_age), wait, is_budget_waived=yes)
    start = Start(context.obj, init, not no_init, freshness, _past(as_of))
    code = _run(start, options, _text(statement, command, file), bail=bail, receipt=receipt)
    if code:
        raise typer.Exit(code)


def _run(
    start: Start,
    options: DisplayOptions,
    text: str | None,
    *,
    bail: bool | None,
    receipt: Path | None,
) -> int:
    """Run `text`, or the shell where there is none; the exit code."""
    from ttapi.cli.shell.start import run_shell, run_text, usual_format
    from ttapi.home import refuse_home_path

    for target in (options.once, receipt):
        if target is not None:
            refuse_home_path(target)
    options.usual_format = usual_format(start.home)
    if options.once is not None:
        # A name that says another format is told before anything is asked.
        _ = options.next_format
    if receipt is not None:
        from ttapi.cli.proof import run_with_receipt

        if start.as_of is not None:
            raise UsageError(
                "--receipt and --as-of: one of the two",
                hint="a receipt proves what is known now; replay FILE answers it as of its load",
            )

        if text is None:
            raise UsageError("--receipt needs SQL", hint="ttapi sql -c 'select ...' --receipt FILE")
        return run_with_receipt(start, options, text, receipt)
    if text is None:
        options.ends_at_error = bool(bail)
        return run_shell(start, options)
    options.ends_at_error = bail is not False
    return run_text(start, options, text)


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


def _format(fmt: str, shorthands: list[str]) -> str:
    from ttapi.formats.records import format_named

    given = ([fmt] if fmt != "auto" else []) + shorthands
    if len(given) > 1:
        raise UsageError(f"one format, not {' and '.join(given)}")
    if not given:
        return "auto"
    return format_named(given[0])


def _text(statement: str | None, commands: Sequence[str] | None, file: Path | None) -> str | None:
    """The SQL to run; None where a shell is wanted.

    *Raises* UsageError for none, for more than one way of giving it, and for what is no UTF-8.
    """
    from ttapi.cli.shell.start import script_text
    from ttapi.sqltext import is_command, utf8_text

    given = [one for one in (statement, commands or None, file) if one is not None]
    if len(given) > 1:
        raise UsageError("give SQL once: as an argument, with -c, or with -f")
    if file is not None:
        return script_text(file)
    if not given and sys.stdin.isatty():
        return None
    if not given:
        text = utf8_text(sys.stdin.buffer.read(), "standard input")
    else:
        # What the system gave as bytes that are no text stands in a string as half characters.
        texts = [
            utf8_text(one.encode(errors="surrogateescape"), "the SQL")
            for one in (commands or [statement or ""])
        ]
        ends = ["\n" if is_command(one) else "\n;\n" for one in texts[:-1]]
        text = "".join(one + end for one, end in zip(texts, [*ends, ""], strict=True))
    if not text.strip():
        raise UsageError("no SQL given", hint='ttapi sql -c "select * from volatility_latest"')
    return text
