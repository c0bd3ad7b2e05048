# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql` begun: the interactive shell, or statements run once."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.cli.session import tell
from ttapi.cli.shell.options import Options, is_dumb
from ttapi.cli.shell.scripts import read_script
from ttapi.cli.shell.session import LeaveShell, Manners, Session
from ttapi.config import find_home, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ttapi.refresh.database import Freshness


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


def run_shell(start: Start, options: Options) -> int:
    """Talk with whoever sits at the terminal; the exit code.

    *Raises* UsageError where nothing was initialised.
    """
    home = find_home(start.home, os.environ)
    if options.format == "auto":
        options.format = usual_format(start.home)
    manners = Manners(
        is_interactive=True, can_ask=True, freshness=start.freshness, as_of=start.as_of
    )
    with closing(Session(home, options, manners)) as session:
        try:
            _begin(session, start)
        except LeaveShell as exc:
            return exc.code
        if is_dumb() or not sys.stdout.isatty():
            from ttapi.cli.shell.plain import run_plain

            return run_plain(session)
        from ttapi.cli.shell.prompt import run_prompt

        past = f" as of {start.as_of}" if start.as_of else ""
        tell(f"ttapi on {home.root}{past}; .help lists commands, Ctrl-D leaves")
        return run_prompt(session)


def run_text(start: Start, options: Options, text: str) -> int:
    """Run the statements of `text`; the exit code of the first error, told on standard error.

    *Raises* UsageError where nothing was initialised; InterruptedQueryError, KeyboardInterrupt.
    """
    home = find_home(start.home, os.environ)
    manners = Manners(
        can_ask=sys.stdin.isatty() and sys.stderr.isatty(),
        one_file=options.once,
        freshness=start.freshness,
        as_of=start.as_of,
    )
    with closing(Session(home, options, manners)) as session:
        try:
            if start.init is not None:
                _read(session, start.init)
            error = session.run_script(text)
        except LeaveShell as exc:
            return exc.code
    return error.exit_code if error else 0


def _begin(session: Session, start: Start) -> None:
    own = session.home.root / "shellrc"
    if start.init is not None:
        _read(session, start.init)
    elif start.reads_own and own.is_file():
        from ttapi.errors import TtapiError

        try:
            _read(session, own)
        except TtapiError as exc:
            session.complain(exc, "")


def _read(session: Session, file: Path) -> None:
    read_script(session, lambda: file.read_text(encoding="utf-8"), str(file))
