# SPDX-License-Identifier: Apache-2.0
"""The prompt of a terminal that takes plain lines only: no colours, no cursor codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ttapi.cli.shell.session import LeaveShell
from ttapi.cli.shell.statements import is_blank, is_command, is_complete

if TYPE_CHECKING:
    from ttapi.cli.shell.session import Session


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
            if is_blank(waiting) or not is_complete(waiting):
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
