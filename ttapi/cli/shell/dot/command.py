# SPDX-License-Identifier: Apache-2.0
"""One row of the table of dot-commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from ttapi.cli.shell.session import Session

Completes = Literal[
    "", "relation", "file", "format", "switch", "chart", "dataset", "command", "sql"
]


@dataclass(frozen=True)
class DotCommand:
    """A command of the shell; help, completion and documentation are made from these."""

    name: str
    """With its dot."""
    arguments: str
    """As help shows them: `[PATTERN]`; empty for none."""
    about: str
    """What it does, one sentence without a full stop."""
    run: Callable[[Session, str], None]
    """Given what follows the name."""
    aliases: tuple[str, ...] = ()
    completes: Completes = ""
    """What its arguments are."""
    is_unsafe: bool = False
    """Whether it touches files, programs or other homes: refused in safe mode."""

    @property
    def usage(self) -> str:
        """`.tables [PATTERN]`."""
        return f"{self.name} {self.arguments}".strip()


def words_in(rest: str, usage: str, *, least: int = 0, most: int = 1) -> list[str]:
    """The arguments in `rest`, quotes taken off.

    *Raises* UsageError, naming `usage`, for too few, too many, or an open quote.
    """
    try:
        words = shlex.split(rest)
    except ValueError as exc:
        raise UsageError(f"{rest!r}: {exc}", hint=usage) from exc
    if not least <= len(words) <= most:
        raise UsageError(f"usage: {usage}")
    return words


def switched(rest: str, usage: str, *, now: bool) -> bool:
    """Whether it is on, as `rest` says; without a word, the other way round.

    *Raises* UsageError for anything else.
    """
    word = rest.strip().lower()
    if not word:
        return not now
    if word in {"on", "yes", "true", "1"}:
        return True
    if word in {"off", "no", "false", "0"}:
        return False
    raise UsageError(f"{word!r} is neither on nor off", hint=usage)


def counted(rest: str, usage: str) -> int:
    """The number in `rest`, 0 or more. *Raises* UsageError."""
    text = rest.strip().replace(",", "").replace("_", "")
    if not text.isdigit():
        raise UsageError(f"{rest.strip()!r} is no number", hint=usage)
    return int(text)
