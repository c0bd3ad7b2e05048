# SPDX-License-Identifier: Apache-2.0
"""The one table of dot-commands: help, completion and documentation read it."""

from __future__ import annotations

import re
import sys
import textwrap
from typing import TYPE_CHECKING

from ttapi.cli.shell.dot import files, freshness, inspect, output, queries
from ttapi.cli.shell.dot.command import DotCommand, words_in
from ttapi.cli.shell.options import screen_width
from ttapi.errors import UsageError, closest
from ttapi.sqltext import BARE_COMMANDS

if TYPE_CHECKING:
    from ttapi.cli.shell.session import Session

_USAGE_WIDTH = 32
"""Screen columns for commands; what is longer stands on a line of its own."""


def _help(session: Session, rest: str) -> None:
    words = words_in(rest, ".help [PATTERN]")
    lines = help_lines(words[0] if words else "", width=screen_width() or None)
    if not lines:
        raise UsageError(f"no command matches {words[0]!r}", hint=".help lists all")
    inspect.show_lines(session, lines)


COMMANDS: tuple[DotCommand, ...] = (
    DotCommand(".help", "[PATTERN]", "these lines", _help, ("\\?", ".h"), "command"),
    *inspect.COMMANDS,
    *queries.COMMANDS,
    *freshness.COMMANDS,
    *output.COMMANDS,
    *files.COMMANDS,
)
_BY_NAME = {name: one for one in COMMANDS for name in (one.name, *one.aliases)}


def help_lines(pattern: str, *, width: int | None = None) -> list[str]:
    """A line a command whose name, alias or text holds `pattern`; more where `width` is too narrow."""
    wanted = pattern.lower()
    found = [
        one
        for one in COMMANDS
        if wanted in f"{one.usage} {' '.join(one.aliases)} {one.about}".lower()
    ]
    narrow = min(max((len(one.usage) for one in found), default=0), _USAGE_WIDTH)
    room = max(_USAGE_WIDTH, width - narrow - 2) if width else sys.maxsize
    lines = []
    for one in found:
        aliases = f" ({' '.join(one.aliases)})" if one.aliases else ""
        told = textwrap.wrap(one.about + aliases, room)
        if len(one.usage) > narrow:
            lines.append(one.usage)
            head = ""
        else:
            head = one.usage
        lines += [f"{'' if n else head:{narrow}}  {line}" for n, line in enumerate(told)]
    return lines


def find_command(line: str) -> tuple[DotCommand, str]:
    """The command that `line` begins with, and what follows it.

    A beginning that only one command has will do.

    *Raises* UsageError, with what was probably meant.
    """
    # A semicolon behind a word is a habit; one that stands alone is an argument.
    line = re.sub(r"(?<=[^\s;]);+\s*$", "", line.strip())
    line = f".{line}" if line.lower() in BARE_COMMANDS else line
    word, rest = [*line.split(None, 1), "", ""][:2]
    word = word if word.startswith("\\") else word.lower()
    if word in _BY_NAME:
        return _BY_NAME[word], rest
    begun = {one.name: one for name, one in _BY_NAME.items() if name.startswith(word)}
    if len(begun) == 1 and len(word) > 1:
        return next(iter(begun.values())), rest
    meant = [_BY_NAME[name].name for name in closest(word, _BY_NAME)]
    close = list(begun)[:3] or list(dict.fromkeys(meant))
    raise UsageError(
        f"{word} is no command",
        hint=f"did you mean {' or '.join(close)}?" if close else ".help lists them",
    )
