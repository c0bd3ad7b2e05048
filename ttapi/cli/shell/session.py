# SPDX-License-Identifier: Apache-2.0
"""One session: statements and dot-commands run one after the other, from a prompt or a script."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.cli.shell.options import DisplayOptions
from ttapi.cli.terminal import interrupting, seconds_text, tell, tell_waiting
from ttapi.errors import InterruptedQueryError, QueryError, TtapiError, UsageError
from ttapi.sqltext import (
    Entry,
    entries_of,
    explained_query,
    first_words,
    is_command,
    watched_query,
    without_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ttapi.api import Answer, Database, Freshness, PreparedQuery, Rows
    from ttapi.cli.shell.names import Relation, SqlNames
    from ttapi.home import Home


_REACHES_OUT = {"copy", "export", "import", "attach", "install", "load"}
"""First words of statements about files."""


class LeaveShell(Exception):  # noqa: N818 - no error: the way out
    """The user leaves, with an exit code."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class SessionOptions:
    """How a session treats whoever uses it."""

    is_interactive: bool = False
    """Whether somebody types: an error or Ctrl-C ends a statement only."""
    can_ask: bool = False
    """Whether a refresh above its budget is asked about."""
    one_file: Path | None = None
    """`-o`: a file for the one answer of a text."""
    freshness: Freshness | None = None
    as_of: str | None = None
    """`--as-of`: the point in time that every query is answered as of."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    ends_after_one: bool = False
    """Whether the process ends with its one answer, which is shown as text."""


class Session:
    """Options, the database, the last answer; the prompt and scripts are its users."""

    def __init__(
        self,
        home: Home,
        options: DisplayOptions | None = None,
        manners: SessionOptions | None = None,
    ) -> None:
        """*Raises* UsageError where nothing was initialised."""
        self.home = home
        self.options = options or DisplayOptions()
        self.manners = manners or SessionOptions()
        self.last_sql: str | None = None
        self.last: Answer | None = None
        self.depth = 0
        """Scripts that read scripts; more than a few is a circle."""
        self._database: Database | None = None
        self._catalogs: dict[str, SqlNames] = {}
        self._temporary: Mapping[str, Relation] = {}
        self._holds_answer = False
        _require_made(home)

    @property
    def database(self) -> Database:
        """The home's database, opened when first used.

        *Raises* UsageError for a wrong setting.
        """
        if self._database is None:
            from ttapi.api import Database

            self._database = Database(self.home, environ=self.manners.environ)
        return self._database

    @property
    def published(self) -> SqlNames:
        """What the newest generation names, read once; from any thread."""
        from ttapi.cli.shell.names import read_catalog

        generation = os.path.realpath(self.home.public_file)
        if generation not in self._catalogs:
            self._catalogs = {generation: read_catalog(self.home)}
        return self._catalogs[generation]

    @property
    def catalog(self) -> SqlNames:
        """What there is to name, the session's own tables included."""
        return self.published.with_temporary(self._temporary)

    def renew_temporary(self) -> None:
        """Look again at which tables and views are the session's own."""
        from ttapi.cli.shell.names import read_temporary

        self._temporary = read_temporary(self.rows)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Rows about the session itself; nothing is refreshed for them."""
        found = self.database.reader.run(sql)
        return [tuple(row.values()) for row in found.table.to_pylist()] if found else []

    def open(self, home: Home) -> None:
        """Go on in another home; temporary tables are gone."""
        _require_made(home)
        self.close()
        self.home = home
        self.last = self.last_sql = None
        self._catalogs, self._temporary = {}, {}

    def close(self) -> None:
        """Let go of the published file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def run_script(self, text: str) -> TtapiError | None:
        """Do what `text` asks for, entry by entry; the first error, each told where it happened.

        An error ends the text when somebody typed it, and a script when `.bail` is on. Ctrl-C ends
        both.

        *Raises* LeaveShell; InterruptedQueryError or KeyboardInterrupt where nobody is to go on.
        """
        first: TtapiError | None = None
        entries = list(entries_of(text))
        if crowded := self._crowded(entries):
            self.complain(crowded, "")
            return crowded
        for entry in entries:
            error = self._tried(entry)
            first = first or error
            is_typed = self.manners.is_interactive and not self.depth
            if isinstance(error, InterruptedQueryError) or (
                error and (is_typed or self.options.ends_at_error)
            ):
                break
        return first

    def _tried(self, entry: Entry) -> TtapiError | None:
        """Do one thing; the error it met with, told."""
        do = self.run_command if entry.is_command else self.run_statement
        try:
            do(entry.text)
        except (KeyboardInterrupt, InterruptedQueryError):
            if not self.manners.is_interactive:
                raise
            tell("\ninterrupted")
            return InterruptedQueryError("interrupted")
        except TtapiError as exc:
            self.complain(exc, entry.text)
            return exc
        return None

    def run_command(self, line: str) -> None:
        """Do what a dot-command asks for. *Raises* UsageError for an unknown one; LeaveShell."""
        from ttapi.cli.shell.dot import find_command

        if self.options.is_echoed:
            tell(line)
        self._note(line)
        command, rest = find_command(line)
        if command.is_unsafe and self.options.is_safe:
            raise UsageError(f"{command.name} is not possible in safe mode")
        command.run(self, rest)

    def run_statement(self, sql: str) -> None:
        """Run one statement, its inputs made fresh first, and show its rows.

        *Raises* QueryError, StaleError, BudgetError, LockedError, SourceDownError.
        """
        if self.options.is_echoed:
            tell(sql.strip())
        self._note(sql.strip())
        (word,) = first_words(sql, 1) or [""]
        if self.options.is_safe and word in _REACHES_OUT:
            raise UsageError(f"{word} is not possible in safe mode")
        if (query := explained_query(sql)) is not None:
            from ttapi.cli.shell.dot.freshness import explain_refresh

            explain_refresh(self, without_end(query))
            return
        if (query := watched_query(sql)) is not None:
            from ttapi.cli.shell.dot.queries import watch_query

            watch_query(self, without_end(query))
            return
        for answer in self.answers(sql):
            if answer.rows is not None:
                self.last_sql, self.last = without_end(sql), answer
                self._show_alone(answer)
                continue
            self.renew_temporary()
            if self.options.has_timer and self.manners.is_interactive:
                tell(f"-- {answer.statement.kind.lower()}, {seconds_text(answer.seconds)}")

    def answers(self, sql: str, *, keep_rows: int | None = -1) -> Iterator[Answer]:
        """The answers of `sql`, as `Database.answers` gives them, told and interruptible.

        `keep_rows` -1: as the options have it.
        """
        from ttapi.api import Watchers
        from ttapi.cli.entry import run_log
        from ttapi.cli.terminal import DelayedProgress, ask_yes, load_arrow_alone, tell_inputs

        bars = DelayedProgress()

        def prepared(found: PreparedQuery) -> None:
            bars.close()
            tell_inputs(found, lister=".age" if self.manners.is_interactive else "ttapi status")
            if self.manners.ends_after_one and found.deferred is None:
                load_arrow_alone()

        watchers = Watchers(
            progress=bars,
            on_wait=tell_waiting,
            confirm=ask_yes if self.manners.can_ask else None,
            on_prepared=prepared,
        )
        database = self.database
        try:
            with run_log(self.home, "sql"), interrupting(database.interrupt):
                yield from database.answers(
                    sql,
                    keep_rows=self._kept_rows() if keep_rows == -1 else keep_rows,
                    freshness=self.manners.freshness,
                    watchers=watchers,
                    as_of=self.manners.as_of,
                )
        except QueryError as exc:
            raise _with_save_hint(exc, sql) from exc
        finally:
            bars.close()

    def show(self, answer: Answer) -> None:
        """Write an answer's rows and say how many they are."""
        from ttapi.formats.text import count_text

        if answer.rows is None:
            return
        rows = answer.rows
        remark = self.show_rows(rows)
        if self.options.has_timer or rows.is_cut:
            tell(f"-- {count_text(rows)}, {seconds_text(answer.seconds)}")
        if rows.is_cut and self.manners.is_interactive:
            tell("-- .maxrows 0 shows all, .export FILE writes all")
        if remark:
            tell(f"-- {remark}")

    def show_rows(self, rows: Rows, *, has_header: bool = True) -> str | None:
        """Write rows where answers go; the remark of their format. `has_header` False: none again."""
        from ttapi.cli.shell.options import show_rows

        look = self.options.look(self.database.load_environment().settings.display_timezone)
        look = look if has_header else replace(look, has_header=False)
        return show_rows(rows, self.options, look)

    def require_room_for_several(self, what: str) -> None:
        """Nothing, or UsageError where one answer only fits; `what` gives more."""
        holder = "" if self.manners.is_interactive else self._holder()
        if holder:
            raise self._does_not_fit(what, holder)

    def complain(self, error: TtapiError, text: str) -> None:
        """Tell an error, with the place in `text` that it is about."""
        from ttapi.cli.terminal import error_lines

        head = "" if self.manners.is_interactive else "ttapi: "
        for line in error_lines(error, "" if is_command(text) else text):
            tell(head + line)
            head = " " * len(head)

    def _kept_rows(self) -> int | None:
        """Rows worth keeping: what people read is cut, what programs and files take is not."""
        from ttapi.formats.records import FORMATS

        to_file = self.options.target is not None
        is_read = self.manners.is_interactive and sys.stdout.isatty() and not to_file
        is_cut = is_read or FORMATS[self.options.next_format].is_for_people
        return (self.options.max_rows or None) if is_cut else None

    def _show_alone(self, answer: Answer) -> None:
        """Show the answer. *Raises* UsageError where another is there and both do not fit."""
        is_elsewhere = self.options.output is not None or (
            self.options.once not in {None, self.manners.one_file}
        )
        holder = "" if is_elsewhere or self.manners.is_interactive else self._holder()
        if holder and self._holds_answer:
            raise self._does_not_fit("another statement answers", holder)
        self._holds_answer = self._holds_answer or bool(holder)
        self.show(answer)

    def _does_not_fit(self, what: str, holder: str) -> UsageError:
        other = "" if self.manners.one_file else "take --format jsonl, "
        return UsageError(
            f"{what}, {holder} holds one",
            hint=f"give one statement a call, {other}or say .once FILE before each",
        )

    def _holder(self) -> str:
        """What holds one answer only and is where answers go; '': several fit."""
        from ttapi.formats.records import FORMATS

        if self.manners.one_file is not None:
            return str(self.manners.one_file)
        name = self.options.next_format
        return name if FORMATS[name].holds_one else ""

    def _crowded(self, entries: Sequence[Entry]) -> UsageError | None:
        """The error for a text whose answers are more than fit, known before anything runs."""
        if self.manners.is_interactive or self.depth or any(e.is_command for e in entries):
            return None
        if len(entries) < 2 or not (holder := self._holder()):
            return None
        try:
            count = sum(self.database.count_answers(entry.text) for entry in entries)
        except TtapiError:
            # Told by the statement itself, in its turn.
            return None
        return self._does_not_fit(f"{count} statements answer", holder) if count > 1 else None

    def _note(self, text: str) -> None:
        if self.options.log is not None:
            from ttapi.cli.shell.prompt import looks_secret

            if not looks_secret(text):
                with self.options.log.open("a", encoding="utf-8") as stream:
                    stream.write(text + "\n")


def _with_save_hint(error: QueryError, sql: str) -> QueryError:
    """The error; for a relation that would outlive the session, with the command that makes one."""
    words = [word for word in first_words(sql, 8) if word not in {"or", "replace"}]
    if error.hint is None or len(words) < 3 or words[0] != "create":
        return error
    if words[1] not in {"view", "table"}:
        return error
    wanted = [word for word in words[2:] if word not in {"if", "not", "exists"}]
    name = wanted[0].strip('"') if wanted else "NAME"
    kind = "table ttl=1d" if words[1] == "table" else "view"
    hint = f"run its SELECT, then .save {name} {kind}; create temp {words[1]} lasts for the session"
    return QueryError(error.message, hint=hint)


def _require_made(home: Home) -> None:
    if not home.live_file.exists():
        raise UsageError(
            f"{home.root} holds no ttapi database",
            hint=f"ttapi --home {home.root} init makes one",
        )
