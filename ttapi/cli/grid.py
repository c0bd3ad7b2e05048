# SPDX-License-Identifier: Apache-2.0
"""`ttapi grid`: the market grid, once or updated in place."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import UsageError
from ttapi.formats.values import amount
from ttapi.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from ttapi.api import Database

Row = dict[str, Any]


def register_grid(app: typer.Typer) -> None:
    """Add the command."""
    app.command("grid")(grid)


def grid(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Update in place until Ctrl-C.")] = False,
    universe: Annotated[
        str | None, typer.Option("--list", help="Only this universe, or A,B,C.")
    ] = None,
    every: Annotated[float, typer.Option("--every", help="Seconds between updates.")] = 5.0,
    no_refresh: Annotated[bool, typer.Option("--no-refresh", help="Show what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The rows as JSON.")] = False,
) -> None:
    """Show last, change, realised and implied volatility of every symbol."""
    from ttapi.api import Database, Freshness
    from ttapi.cli.terminal import open_environment, tell

    if every <= 0:
        raise UsageError(f"--every {every} cannot be", hint="seconds, such as 5")
    environment = open_environment(context.obj)
    with closing(Database(environment.home)) as database:
        symbols = environment.members(universe) if universe else None
        freshness = Freshness(refresh=not no_refresh)
        rows = read_grid(database, symbols, freshness)
        if as_json:
            typer.echo(json.dumps(rows))
        elif watch and sys.stdout.isatty():
            watch_grid(rows, lambda: read_grid(database, symbols, freshness), every)
        else:
            _print(rows)
        if not rows and not as_json:
            tell("no bars yet: ttapi refresh, or ttapi init --metastock FOLDER")


def read_grid(database: Database, symbols: frozenset[str] | None, freshness: Any) -> list[Row]:
    """Rows of `market_grid` as JSON holds them, by symbol; `symbols`: only these."""
    from ttapi.formats.values import plain

    sql = "select * from market_grid"
    if symbols is not None:
        sql += f" where symbol in ({', '.join(map(literal, sorted(symbols)))})"
    table = database.sql(f"{sql} order by symbol", freshness=freshness).arrow()
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def watch_grid(
    rows: Sequence[Row],
    read: Callable[[], list[Row]],
    every_s: float,
    *,
    console: Console | None = None,
) -> None:
    """Show the grid in place, read anew every `every_s` seconds, until interrupted."""
    from rich.live import Live

    pause = threading.Event()
    before: dict[str, Row] = {}
    # Ctrl-C is how one leaves: nothing was interrupted.
    with (
        suppress(KeyboardInterrupt),
        Live(_table(rows, before), console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(_table(rows, before), refresh=True)
            before = {row["symbol"]: row for row in rows}
            pause.wait(every_s)
            rows = read()


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console

    Console(soft_wrap=not sys.stdout.isatty()).print(_table(rows, {}))


def _table(rows: Sequence[Row], before: Mapping[str, Row]) -> Table:
    """The grid as a table; columns nothing fills are left out, and said so below, as are old rows."""
    from rich import box
    from rich.table import Table

    shown = [c for c in COLUMNS if any(row[c[0]] is not None for row in rows)]
    hidden = [title for name, title, _ in COLUMNS if name not in {c[0] for c in shown}]
    newest = max((row["as_of"] for row in rows if row["as_of"]), default=None)
    behind = [row["symbol"] for row in rows if row["as_of"] != newest]
    caption = amount(len(rows), "symbol")
    if behind:
        caption += f"; {len(behind)} without a bar of {newest}"
    if hidden:
        caption += f"; no data yet: {', '.join(hidden)}"
    table = Table(
        box=box.SIMPLE_HEAD,
        caption=caption,
        caption_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),  # all columns without a chain stand in 80 characters
    )
    for name, title, _ in shown:
        table.add_column(title, justify="left" if name == "symbol" else "right", no_wrap=True)
    for row in rows:
        old = before.get(row["symbol"], row)
        style = "yellow" if row["symbol"] in behind else None
        table.add_row(*(_cell(row, old, name, text) for name, _, text in shown), style=style)
    return table


def _cell(row: Row, old: Row, name: str, text: Callable[[Any], str]) -> str:
    if row[name] is None:
        return "-"
    shown = text(row[name])
    if name == "change":
        return f"[{'green' if row[name] >= 0 else 'red'}]{shown}[/]"
    return f"[bold]{shown}[/]" if name != "age_s" and old[name] != row[name] else shown


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _signed_percent(value: float) -> str:
    return f"{value:+.2%}"


def _price(value: float) -> str:
    return f"{value:,.2f}"


def _checked(value: float) -> str:
    """How long ago the data was compared with its source; how old it is, `as of` says."""
    from ttapi.cli.terminal import seconds_text

    return seconds_text(max(0.0, value))


COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("symbol", "symbol", str),
    ("as_of", "as of", str),
    ("last", "last", _price),
    ("change", "change", _signed_percent),
    ("hv20", "HV20", _percent),
    ("hv30", "HV30", _percent),
    ("iv30", "IV30", _percent),
    ("iv_rank", "IV rank", _percent),
    ("iv_percentile", "IV pct", _percent),
    ("iv30_minus_hv30", "IV-HV", _percent),
    ("next_earnings", "earnings", str),
    ("next_monthly", "monthly", str),
    ("dte", "DTE", str),
    ("expected_move", "move", _price),
    ("age_s", "checked", _checked),
)
"""Column of `market_grid`, head, and how a value reads."""
