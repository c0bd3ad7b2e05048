# SPDX-License-Identifier: Apache-2.0
"""Dot-commands about the last query: shown whole, drawn, repeated, edited, explained, saved."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.cli.shell.dot.command import DotCommand, words_in
from ttapi.cli.shell.dot.files import last_query, whole_answer
from ttapi.cli.shell.dot.inspect import show_lines
from ttapi.cli.shell.options import screen_width
from ttapi.cli.shell.start import script_text
from ttapi.cli.terminal import seconds_text, tell
from ttapi.errors import InterruptedQueryError, TtapiError, UsageError
from ttapi.formats.records import write_result
from ttapi.formats.text import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api import InputVersions, RowDifference, WatchedAnswer, WatchedQuery
    from ttapi.cli.shell.session import Session

_LOOK_S = 1.0
_REFRESHES_APART_S = 60.0
"""How often a watch asks whether what it reads is past its TTL."""


def _last(session: Session, rest: str) -> None:
    words_in(rest, ".last", most=0)
    rows = whole_answer(session, None, ".last")
    zone = session.database.load_environment().settings.display_timezone
    name = session.options.format if session.options.format not in {"auto", "duckbox"} else "box"
    write_result(rows, name, None, session.options.look(zone))
    tell(f"-- {count_text(rows)}")


def _chart(session: Session, rest: str) -> None:
    from ttapi.cli.cone import SYMBOL_CHARTS
    from ttapi.formats.chart import CHARTS, draw_chart

    usage = (
        f".chart {'|'.join(CHARTS)} [X] [Y], or {'|'.join(SYMBOL_CHARTS)} SYMBOL [DATE] [FILE.png]"
    )
    words = words_in(rest, usage, most=4)
    if words and words[0] in SYMBOL_CHARTS:
        _symbol_chart(session, words, usage)
        return
    if len(words) > 3:
        raise UsageError(f"usage: {usage}")
    is_named = bool(words) and words[0] in CHARTS
    kind = words.pop(0) if is_named else "line"
    held = session.last.rows.table.column_names if session.last and session.last.rows else []
    if len(words) > 2 or (not is_named and len(words) == 2 and words[0] not in held):
        raise UsageError(f"{rest.split(maxsplit=1)[0]!r} is no chart", hint=usage)
    if session.last is None or session.last.rows is None:
        last_query(session, usage)
    if session.last is None or session.last.rows is None:
        return
    x, y = [*words, None, None][:2] if len(words) != 1 else (None, words[0])
    rows = session.last.rows
    table = rows.table if not rows.is_cut else whole_answer(session, None, usage).table
    width = min(session.options.max_width or screen_width() or 80, 120)
    show_lines(session, draw_chart(table, kind, x, y, width=width).splitlines())


def _symbol_chart(session: Session, words: Sequence[str], usage: str) -> None:
    from ttapi.cli.cone import SYMBOL_CHARTS, parameters_of, write_png

    name, *rest = words
    files = [word for word in rest if word.lower().endswith(".png")]
    others = [word for word in rest if word not in files]
    if not 1 <= len(others) <= 2 or len(files) > 1:
        raise UsageError(f"usage: {usage}")
    symbol, expiration = others[0].upper(), "".join(others[1:])
    chart = SYMBOL_CHARTS[name]
    asked = parameters_of(name, symbol, expiration)
    table = session.database.sql(chart.sql, asked).arrow()
    if not table.num_rows:
        raise UsageError(
            f"nothing is held to draw the {name} of {symbol}",
            hint="ttapi status tells which inputs are configured and held",
        )
    if files:
        file = Path(files[0]).expanduser()
        write_png(name, symbol, table.to_pylist(), file)
        tell(f"-- {file}")
        return
    width = min(session.options.max_width or screen_width() or 80, 120)
    show_lines(session, chart.draw(table, width).splitlines())


def _watch(session: Session, rest: str) -> None:
    usage = ".watch [SECONDS] [TIMES]"
    words = words_in(rest, usage, most=2)
    try:
        every = float(words[0]) if words else _LOOK_S
        times = int(words[1]) if len(words) > 1 else None
    except ValueError as exc:
        raise UsageError(f"{rest.strip()!r} is no number", hint=f"usage: {usage}") from exc
    if not 0 <= every < 86_400 or (times is not None and times < 1):
        wrong = words[0] if not 0 <= every < 86_400 else words[1]
        raise UsageError(f"{wrong} is too many or too few", hint=f"usage: {usage}")
    watch_query(session, last_query(session, usage), every, times)


def watch_query(
    session: Session, sql: str, every_s: float = _LOOK_S, times: int | None = None
) -> None:
    """Show the answer of `sql`, then the rows that differ whenever what it reads has changed.

    It ends with Ctrl-C, or after so many looks. Where programs read, rows come as a column
    `difference` and the answer's from the first on.

    *Raises* UsageError for what gives no rows, and where one answer only fits.
    """
    from ttapi.api import WatchedQuery, publication_mark

    session.require_room_for_several("a watch answers again and again")
    pause = threading.Event()
    watched = WatchedQuery(
        lambda: (publication_mark(session.home), int(time.monotonic() / _REFRESHES_APART_S)),
        lambda: _inputs(session, sql, is_first=watched.rows is None),
        lambda: _run_watched(session, sql),
    )
    shown = 0
    tell(f"-- looks every {seconds_text(every_s)} whether an input has changed; Ctrl-C ends it")
    with suppress(KeyboardInterrupt, InterruptedQueryError):
        while True:
            try:
                _show_difference(session, watched, watched.look())
            except InterruptedQueryError:
                raise
            except TtapiError as exc:
                if watched.rows is None:
                    raise
                session.complain(exc, "")
            shown += 1
            if shown == times:
                return
            pause.wait(every_s)
    if session.manners.is_interactive:
        tell("")


def _inputs(session: Session, sql: str, *, is_first: bool) -> InputVersions:
    """What `sql` reads; what is past its TTL is refreshed, the first time by the query itself."""
    from ttapi.api import Freshness, input_versions

    database, freshness = session.database, session.manners.freshness or Freshness()
    if not is_first:
        database.prepare(sql, freshness=freshness)
    return input_versions(database.load_environment(), database.request(sql, freshness))


def _run_watched(session: Session, sql: str) -> WatchedAnswer:
    """The answer of one run, its inputs made fresh first. *Raises* UsageError for what gives no rows."""
    from ttapi.api import WatchedAnswer

    found = None
    for answer in session.answers(sql, keep_rows=None):
        session.last_sql, session.last = sql, answer
        if answer.rows is not None:
            found = WatchedAnswer(answer.rows, answer.seconds)
    if found is None:
        raise UsageError("nothing can be watched but a query", hint="watch select ...")
    return found


def _show_difference(session: Session, watched: WatchedQuery, found: RowDifference | None) -> None:
    """Show what `found` says of the answer; nothing where it is as it was."""
    from ttapi.api import difference_rows

    rows, before = watched.rows, watched.before
    if found is None or rows is None:
        return
    is_typed = session.manners.is_interactive
    if before is None and is_typed:
        session.show_rows(rows)
        return
    if found:
        counts = (len(found.added), len(found.gone), len(found.changed))
        tell("-- {:,} added, {:,} gone, {:,} changed".format(*counts))
    if found or before is None:
        shown = difference_rows(before, rows, found)
        session.show_rows(shown, has_header=before is None or is_typed)


def _edit(session: Session, rest: str) -> None:
    words_in(rest, ".edit", most=0)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "query.sql"
        file.write_text(f"{session.last_sql or ''};\n", encoding="utf-8")
        before = file.read_text(encoding="utf-8")
        try:
            code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
        except OSError as exc:
            raise UsageError(
                f"the editor {editor!r} does not start: {exc.strerror}", hint="set EDITOR"
            ) from exc
        text = script_text(file)
    if code:
        raise UsageError(f"the editor {editor!r} ended with {code}; nothing was run")
    if text == before:
        tell("nothing was changed, nothing was run")
        return
    tell(text.strip())
    session.run_script(text)


def _profile(session: Session, rest: str) -> None:
    sql = rest.strip().rstrip(";") or last_query(session, ".profile SELECT ...")
    for answer in session.answers(f"explain analyze {sql}", keep_rows=None):
        if answer.rows is not None:
            text = answer.rows.table.column(answer.rows.table.num_columns - 1)[0].as_py()
            show_lines(session, str(text).splitlines())


def _save(session: Session, rest: str) -> None:
    _saved(session, rest, may_replace=False)


def _save_over(session: Session, rest: str) -> None:
    _saved(session, rest, may_replace=True)


def _saved(session: Session, rest: str, *, may_replace: bool) -> None:
    from ttapi.api import SaveRequest, save_query

    usage = ".save NAME [view|table] [ttl=1d]"
    name, *more = words_in(rest, usage, least=1, most=3)
    kind, ttl = "view", None
    for word in more:
        if word in {"view", "table"}:
            kind = word
        elif word.startswith("ttl="):
            ttl = word.removeprefix("ttl=")
        else:
            raise UsageError(f"{word!r} is not understood", hint=usage)
    if ttl is not None and kind == "view":
        raise UsageError(
            "a view is as fresh as what it reads", hint=f".save {name} table ttl={ttl}"
        )
    sql = last_query(session, usage)
    wish = SaveRequest(name, is_table=kind == "table", ttl=ttl, may_replace=may_replace)
    for file in save_query(session.database, sql, wish):
        tell(f"{file}")
    tell(f"select * from {name}; asks it, in this session and in every other")


COMMANDS = (
    DotCommand(".last", "", "the last answer again, nothing left out", _last),
    DotCommand(
        ".chart",
        "[KIND] [X] [Y] | SERIES SYMBOL",
        "the last answer as line, bar, hist, scatter or candle; smile, term, cone or surface of a symbol",
        _chart,
        (),
        "chart",
    ),
    DotCommand(
        ".watch", "[SECONDS] [TIMES]",
        "the last query watched, as `watch select ...`: what differs when an input has changed",
        _watch, ("\\watch",),
    ),
    DotCommand(".edit", "", "the last query in $EDITOR, then run", _edit, ("\\e",), is_unsafe=True),
    DotCommand(".profile", "[SELECT]", "where a query spends its time", _profile, (), "sql"),
    DotCommand(
        ".save", "NAME [view|table] [ttl=1d]", "the last query as a relation of your own",
        _save, is_unsafe=True,
    ),
    DotCommand(".save!", "NAME [view|table] [ttl=1d]", "as .save, over one of your own", _save_over, is_unsafe=True),
)  # fmt: skip
