# SPDX-License-Identifier: Apache-2.0
"""An error as the shell tells it: what happened, the line with a caret, and what was meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttapi.cli.shell.statements import pieces_of
from ttapi.refresh.suggestions import missing_name

if TYPE_CHECKING:
    from ttapi.errors import TtapiError

_CARET = re.compile(r"LINE \d+:")


def told(error: TtapiError, sql: str) -> list[str]:
    """The lines that tell `error`, which `sql` met with."""
    lines = [line for line in error.message.rstrip().splitlines() if line.strip()]
    missing = missing_name(error.message)
    if missing and not _CARET.search(error.message):
        lines[1:1] = caret_lines(sql, missing[1])
    return lines + ([error.hint] if error.hint else [])


def caret_lines(sql: str, name: str) -> list[str]:
    """The line of `sql` in which `name` first stands as a word, and a caret under it."""
    wanted = name.rpartition(".")[2].lower()
    for piece in pieces_of(sql):
        if piece.kind in {"name", "quoted"} and piece.text.strip('"').lower() == wanted:
            line_start = sql.rfind("\n", 0, piece.start) + 1
            line_end = sql.find("\n", piece.start)
            line = sql[line_start : len(sql) if line_end < 0 else line_end]
            head = f"LINE {sql.count(chr(10), 0, piece.start) + 1}: "
            blanks = " " * (len(head) + piece.start - line_start)
            return [head + line, f"{blanks}^"]
    return []
