# SPDX-License-Identifier: Apache-2.0
"""Dot-commands about how fresh data is, and what brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttapi.cli.shell.dot.command import DotCommand, words_in
from ttapi.cli.shell.dot.files import last_query
from ttapi.cli.shell.dot.inspect import columns_of, show_lines
from ttapi.cli.terminal import seconds_text, tell, tell_waiting
from ttapi.errors import TtapiError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.cli.shell.session import Session


def _status(session: Session, rest: str) -> None:
    from ttapi.cli.report import status_lines

    words = words_in(rest, ".status [DATASET | --all]")
    dataset = words[0] if words and words[0] != "--all" else None
    environment = session.database.load_environment()
    show_lines(session, status_lines(environment, dataset, is_whole=words == ["--all"]))


def _refresh(session: Session, rest: str) -> None:
    from ttapi.api import Watchers
    from ttapi.cli.entry import run_log
    from ttapi.cli.report import tell_outcome
    from ttapi.cli.terminal import DelayedProgress

    names = words_in(rest, ".refresh [DATASET...]", most=99)
    bars = DelayedProgress()
    try:
        with run_log(session.home, "refresh"):
            watchers = Watchers(bars, tell_waiting)
            outcome = session.database.refresh(*names, command="ttapi sql", watchers=watchers)
    finally:
        bars.close()
    tell_outcome(outcome)
    if outcome.exit_code:
        failed = TtapiError("not everything could be refreshed", hint=".status says why")
        failed.exit_code = outcome.exit_code
        raise failed


def _sources(session: Session, rest: str) -> None:
    words_in(rest, ".sources", most=0)
    rows = []
    for installed in session.database.load_environment().sources:
        source = installed.source
        if source is None:
            rows.append((installed.name, "broken", str(installed.error)))
            continue
        rows.append((installed.name, source.version, source.about))
    show_lines(session, columns_of(rows, ("source", "version", "about")))


def _explain(session: Session, rest: str) -> None:
    explain_refresh(session, rest.strip().rstrip(";") or last_query(session, ".explain SELECT ..."))


def explain_refresh(session: Session, sql: str) -> None:
    """Say what a query would fetch and rebuild, and why, before anything runs."""
    for answer in session.answers(f"explain refresh {sql}", keep_rows=None):
        session.show(answer)
        if answer.rows is not None:
            tell(_total(answer.rows.table.to_pylist()))


def _total(slices: Sequence[Mapping[str, Any]]) -> str:
    """What a planned refresh comes to, all slices together."""
    done = [row for row in slices if row["action"] != "none"]
    if not done:
        return "-- nothing to refresh"
    calls = amount(sum(row["calls"] for row in done), "source call")
    known = [row["seconds"] for row in done if row["seconds"] is not None]
    took = f"about {seconds_text(sum(known))} by the last runs" if known else "no run to go by"
    new = len({row["dataset"] for row in done if row["seconds"] is None})
    return f"-- total: {calls}, {took}" + (f", and {new} never done" if known and new else "")


def _engine(session: Session, rest: str) -> None:
    words_in(rest, ".engine", most=0)
    asked = (
        "select version(), current_setting('threads')::varchar, current_setting('memory_limit'),"
        " current_setting('TimeZone')"
    )
    version, threads, memory, zone = session.rows(asked)[0]
    file = session.home.public_file.resolve()
    rows = [
        ("duckdb", str(version)),
        ("home", str(session.home.root)),
        ("generation", f"{file.name}, {file.stat().st_size / 1e6:,.1f} MB, read-only"),
        ("threads", str(threads)),
        ("memory limit", str(memory)),
        ("engine's zone", str(zone)),
        ("instants shown in", session.database.load_environment().settings.display_timezone),
    ]
    show_lines(session, columns_of(rows, ("what", "value")))


def _version(session: Session, rest: str) -> None:
    from ttapi import __version__

    words_in(rest, ".version", most=0)
    version = session.rows("select version()")[0][0]
    show_lines(session, [f"ttapi {__version__}, DuckDB {version}"])


def _tell_age(session: Session, rest: str) -> None:
    words_in(rest, ".age", most=0)
    if session.last is None:
        last_query(session, ".age")
        return
    for age in session.last.prepared.ages:
        tell(f"{age.dataset}: {age.text}")


COMMANDS = (
    DotCommand(".status", "[DATASET | --all]", "verdict, reasons and age of every dataset", _status, (), "dataset"),
    DotCommand(".refresh", "[DATASET...]", "bring datasets and what they read up to date", _refresh, (), "dataset"),
    DotCommand(
        ".explain", "[SELECT]", "what a query would fetch and rebuild, and why; nothing runs",
        _explain, (), "sql",
    ),
    DotCommand(".age", "", "how old the data behind the last answer is", _tell_age),
    DotCommand(".sources", "", "installed sources, broken ones with their error", _sources),
    DotCommand(".engine", "", "engine, file and generation behind the session", _engine, ("\\conninfo",)),
    DotCommand(".version", "", "versions of ttapi and of the engine", _version),
)  # fmt: skip
