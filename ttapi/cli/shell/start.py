# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql` begun: the interactive shell, or statements run once.

The prompt of a terminal that takes plain lines only: no colours, no cursor codes.

Scripts: statements and dot-commands from a file, run inside a session.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.cli.shell.options import DisplayOptions, is_dumb
from ttapi.cli.shell.session import LeaveShell, Session, SessionOptions
from ttapi.cli.terminal import tell
from ttapi.config import load_settings
from ttapi.errors import TtapiError, UsageError
from ttapi.formats.records import FORMATS, takes_a_stream
from ttapi.home import find_home, refuse_home_path
from ttapi.sqltext import ends_entry, entries_of, is_blank, is_command, utf8_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api import Freshness


def run_plain(session: Session) -> int:
    """Read and do one line after the other until the input ends; the exit code."""
    waiting = ""
    while True:
        try:
            line = _asked(session.options.prompt if is_blank(waiting) else "...> ")
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            waiting = ""
            continue
        if not line:
            sys.stderr.write("\n")
            return 0
        if not (is_blank(waiting) and is_command(line)):
            waiting += line
            if is_blank(waiting) or not ends_entry(waiting):
                continue
            line = waiting
        waiting = ""
        try:
            session.run_script(line)
        except LeaveShell as exc:
            return exc.code


def _asked(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline()


_DEEPEST = 8


def read_script(session: Session, file: Path) -> None:
    """Run a script inside a session.

    *Raises* UsageError for what cannot be read or reads itself; TtapiError when something in it
    failed, with the exit code of that.
    """
    if session.depth >= _DEEPEST:
        raise UsageError(f"{file} reads itself, or is the ninth script inside another")
    text = script_text(file)
    session.depth += 1
    try:
        error = session.run_script(text)
    finally:
        session.depth -= 1
    if error is not None:
        failed = TtapiError(f"{file}: not everything in it worked")
        failed.exit_code = error.exit_code
        raise failed


def script_text(file: Path) -> str:
    """The SQL in `file`. *Raises* UsageError where it cannot be read."""
    try:
        return utf8_text(file.read_bytes(), str(file))
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror or exc}") from exc


@dataclass(frozen=True)
class Start:
    """How a session begins."""

    home: Path | None = None
    """`--home`"""
    init: Path | None = None
    """`--init`: a script run first."""
    reads_own: bool = True
    """Whether an interactive session begins with the home's `shellrc`."""
    freshness: Freshness | None = None
    as_of: str | None = None
    """`--as-of`, as it was given."""


def usual_format(home: Path | None) -> str:
    """The format of who asks for none: `[display] format`. *Raises* UsageError for a wrong setting."""
    return load_settings(find_home(home, os.environ), os.environ).display_format


def run_sql(
    start: Start,
    options: DisplayOptions,
    text: str | None,
    *,
    bail: bool | None = None,
    receipt: Path | None = None,
) -> int:
    """Run `text`, or the shell where there is none; the exit code.

    *Raises* UsageError for a target inside the home or named as another format, before anything is asked.
    """
    if options.once == Path("-"):  # as other programs call standard output
        options.once = None
    for target in (options.once, receipt):
        if target is not None:
            refuse_home_path(target)
    options.usual_format = usual_format(start.home)
    if options.once is not None:
        # A name that says another format is told before anything is asked.
        _ = options.next_format
    if receipt is not None:
        from ttapi.cli.proof import run_with_receipt

        if options.once is not None and _is_same_file(options.once, receipt):
            raise UsageError(
                f"{receipt} cannot hold the answer and its receipt", hint="give each its own file"
            )
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


def _is_same_file(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other) and not takes_a_stream(one)


def run_shell(start: Start, options: DisplayOptions) -> int:
    """Talk with whoever sits at the terminal; the exit code.

    *Raises* UsageError where nothing was initialised.
    """
    home = find_home(start.home, os.environ)
    options.usual_format = usual_format(start.home)
    manners = SessionOptions(
        is_interactive=True, can_ask=True, freshness=start.freshness, as_of=start.as_of
    )
    with closing(Session(home, options, manners)) as session:
        try:
            _begin(session, start)
        except LeaveShell as exc:
            return exc.code
        if is_dumb() or not sys.stdout.isatty():
            return run_plain(session)
        from ttapi.cli.shell.prompt import run_prompt

        past = f" as of {start.as_of}" if start.as_of else ""
        tell(f"ttapi on {home.root}{past}; .help lists commands, Ctrl-D leaves")
        return run_prompt(session)


def run_text(start: Start, options: DisplayOptions, text: str) -> int:
    """Run the statements of `text`; the exit code of the first error, told on standard error.

    *Raises* UsageError where nothing was initialised; InterruptedQueryError, KeyboardInterrupt.
    """
    home = find_home(start.home, os.environ)
    manners = SessionOptions(
        can_ask=sys.stdin.isatty() and sys.stderr.isatty(),
        one_file=options.once,
        freshness=start.freshness,
        as_of=start.as_of,
        ends_after_one=start.init is None and _is_one_text(text, options),
    )
    with closing(Session(home, options, manners)) as session:
        try:
            if start.init is not None:
                read_script(session, start.init)
            error = session.run_script(text)
        except LeaveShell as exc:
            return exc.code
    return error.exit_code if error else 0


def _is_one_text(text: str, options: DisplayOptions) -> bool:
    """Whether `text` is one statement whose answer is text: nothing comes after it."""
    entries = list(entries_of(text))
    is_one = len(entries) == 1 and not entries[0].is_command
    return is_one and not FORMATS[options.next_format].is_binary


def _begin(session: Session, start: Start) -> None:
    own = session.home.root / "shellrc"
    if start.init is not None:
        read_script(session, start.init)
    elif start.reads_own and own.is_file():
        from ttapi.errors import TtapiError

        try:
            read_script(session, own)
        except TtapiError as exc:
            session.complain(exc, "")


def asked_format(fmt: str, shorthands: Sequence[str] = ()) -> str:
    """The format that was named, once. *Raises* UsageError."""
    from ttapi.formats.records import format_named

    given = ([fmt] if fmt != "auto" else []) + [*shorthands]
    if len(given) > 1:
        raise UsageError(f"one format, not {' and '.join(given)}")
    if not given:
        return "auto"
    return format_named(given[0])


def given_text(
    statement: str | None, commands: Sequence[str] | None, file: Path | None = None
) -> str | None:
    """The SQL to run; None where a shell is wanted.

    *Raises* UsageError for none, for more than one way of giving it, and for what is no UTF-8.
    """
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
