# SPDX-License-Identifier: Apache-2.0
"""What an unfinished statement reads: relations, the names they go by, their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.cli.shell.catalog import Catalog, Relation
    from ttapi.cli.shell.statements import Piece

_BEFORE_RELATION = {
    "from",
    "join",
    "into",
    "update",
    "table",
    "describe",
    "summarize",
    "pivot",
    "unpivot",
    "positional",
}
_AFTER_RELATION = {
    "where", "group", "order", "having", "limit", "qualify", "window", "using", "on", "join", "left",
    "right", "inner", "full", "cross", "asof", "semi", "anti", "natural", "union", "except",
    "intersect", "select", "sample", "offset", "pivot", "positional", "lateral", "set", "values",
}  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A relation that the statement reads, and the name its columns may be qualified by."""

    alias: str
    columns: Sequence[tuple[str, str]]
    """Name and what is known of it."""


@dataclass(frozen=True)
class Places:
    """Where in a statement relations stand."""

    at: Sequence[int]
    """Indexes of the words that name one."""
    is_next: bool
    """Whether one is to come behind the last word."""


def places_of(words: Sequence[Piece]) -> Places:
    """Relations stand behind FROM or JOIN, and behind a comma among them."""
    found: list[int] = []
    is_from = [False]
    is_next = False
    for n, piece in enumerate(words):
        word = piece.text.lower()
        if word == "(":
            is_from.append(False)
            is_next = False
        elif word == ")":
            if len(is_from) > 1:
                is_from.pop()
            is_next = False
        elif word == ",":
            is_next = is_from[-1]
        elif piece.kind == "name" and word in _BEFORE_RELATION:
            is_from[-1] = is_next = True
        elif is_next and piece.kind in {"name", "quoted"}:
            found.append(n)
            is_next = False
        elif piece.kind == "name" and (word in _AFTER_RELATION or word == "by"):
            is_from[-1] = False
    return Places(found, is_next)


def reads_of(words: Sequence[Piece], catalog: Catalog) -> list[Read]:
    """The relations that the statement reads, with the names their columns are qualified by."""
    ctes = _ctes(words)
    found: list[Read] = []
    for n in places_of(words).at:
        name, behind = _dotted(words, n)
        relation = catalog.relation(name)
        columns: Sequence[tuple[str, str]]
        if name in ctes:
            columns = [(column, "") for column in ctes[name]]
        elif relation is not None:
            columns = _columns(relation)
        else:
            continue
        found.append(Read(_alias(words, behind) or name.rpartition(".")[2], columns))
    return found


def _columns(relation: Relation) -> list[tuple[str, str]]:
    return [
        (c.name, f"{c.type.lower()}{', ' if c.about else ''}{c.about}") for c in relation.columns
    ]


def _dotted(words: Sequence[Piece], at: int) -> tuple[str, int]:
    """The name that begins at a word, dots followed, lower case; and the place behind it."""
    name = words[at].text.strip('"').lower()
    at += 1
    while (
        at + 1 < len(words) and words[at].text == "." and words[at + 1].kind in {"name", "quoted"}
    ):
        name += "." + words[at + 1].text.strip('"').lower()
        at += 2
    return name, at


def _alias(words: Sequence[Piece], at: int) -> str | None:
    if at < len(words) and words[at].text.lower() == "as":
        at += 1
    if at < len(words) and words[at].kind in {"name", "quoted"}:
        word = words[at].text.strip('"')
        if word.lower() not in _AFTER_RELATION:
            return word
    return None


def _ctes(words: Sequence[Piece]) -> Mapping[str, list[str]]:
    """Column names by CTE, as far as `... as name` and plain names in its select list say them."""
    found: dict[str, list[str]] = {}
    for n in range(len(words) - 2):
        opening = [word.text.lower() for word in words[n + 1 : n + 3]]
        is_head = words[n].kind == "name" and opening == ["as", "("]
        before = words[n - 1].text.lower() if n else ""
        if is_head and before in {"with", ",", "recursive"}:
            found[words[n].text.lower()] = _select_list(words, n + 3)
    return found


def _select_list(words: Sequence[Piece], at: int) -> list[str]:
    names: list[str] = []
    depth, last = 0, ""
    for piece in words[at:]:
        word = piece.text.lower()
        depth += (word == "(") - (word == ")")
        is_end = depth < 0 or (depth == 0 and word == "from")
        if is_end or (depth == 0 and word == ","):
            if last:
                names.append(last)
            last = ""
        elif depth == 0:
            last = piece.text.strip('"') if piece.kind in {"name", "quoted"} else ""
        if is_end:
            break
    return [name for name in names if name.lower() != "select"]
