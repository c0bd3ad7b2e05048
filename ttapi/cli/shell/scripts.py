# SPDX-License-Identifier: Apache-2.0
"""Scripts: statements and dot-commands from a file, run inside a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import TtapiError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.cli.shell.session import Session

_DEEPEST = 8


def read_script(session: Session, read: Callable[[], str], name: str) -> None:
    """Run a script inside a session.

    *Raises* UsageError for what cannot be read or reads itself; TtapiError when something in it
    failed, with the exit code of that.
    """
    if session.depth >= _DEEPEST:
        raise UsageError(f"{name} reads itself, or is the ninth script inside another")
    try:
        text = read()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{name} cannot be read: {unread_reason(exc)}") from exc
    session.depth += 1
    try:
        error = session.run_script(text)
    finally:
        session.depth -= 1
    if error is not None:
        failed = TtapiError(f"{name}: not everything in it worked")
        failed.exit_code = error.exit_code
        raise failed


def unread_reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file of SQL cannot be read, without its name."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no UTF-8"
    return error.strerror or str(error)
