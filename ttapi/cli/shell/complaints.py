# SPDX-License-Identifier: Apache-2.0
"""An error as the shell tells it: what happened, the line with a caret, and what was meant."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from ttapi.cli.shell.statements import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.cli.shell.catalog import Catalog
    from ttapi.errors import TtapiError

# The engine's words for what it did not find, DuckDB 1.5 and 2.0.
_MISSING = (
    (re.compile(r"Table with name \"?([\w.]+)\"? does not exist"), "relation"),
    (re.compile(r"Referenced column \"([^\"]+)\" (?:was )?not found"), "column"),
    (re.compile(r"does not have a column named \"([^\"]+)\""), "column"),
    (re.compile(r"Function with name \"?(\w+)\"? does not exist"), "function"),
    (re.compile(r"unrecognized configuration parameter \"([^\"]+)\""), "setting"),
)
_SUGGESTED = re.compile(r"\n?(Did you mean|Candidate bindings:)[^\n]*")
_CARET = re.compile(r"LINE \d+:")


def told(error: TtapiError, sql: str, catalog: Catalog | None) -> list[str]:
    """The lines that tell `error`, which `sql` met with."""
    message = error.message.rstrip()
    lines = [line for line in message.splitlines() if line.strip()]
    missing = _missing(message)
    if missing:
        kind, name = missing
        if catalog and (close := closest(name, _known(kind, sql, catalog))):
            without = _SUGGESTED.sub("", message)
            lines = [line for line in without.splitlines() if line.strip()]
            lines.append(f"did you mean {' or '.join(close)}?")
        if not _CARET.search(message):
            lines[1:1] = caret_lines(sql, name)
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


def closest(name: str, known: Iterable[str], count: int = 2) -> Sequence[str]:
    """The names most like `name`, best first."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)
    return [by_lower[one] for one in found]


def _missing(message: str) -> tuple[str, str] | None:
    for pattern, kind in _MISSING:
        if match := pattern.search(message):
            return kind, match[1]
    return None


def _known(kind: str, sql: str, catalog: Catalog) -> Iterable[str]:
    if kind == "relation":
        return catalog.relations
    if kind == "function":
        return catalog.functions
    if kind == "setting":
        return catalog.settings
    named = {p.text.strip('"').lower() for p in pieces_of(sql) if p.kind in {"name", "quoted"}}
    read = [relation for relation in catalog.relations.values() if relation.stem in named]
    return [column.name for relation in read for column in relation.columns]
