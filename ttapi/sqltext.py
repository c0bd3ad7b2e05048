# SPDX-License-Identifier: Apache-2.0
"""SQL as text: names and values quoted, and text cut into tokens and statements, as DuckDB reads it.

Nothing is parsed, nothing is lost; what a statement means is found out in models, what the engine
takes it for in the store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["space", "comment", "string", "name", "quoted", "number", "end", "sign"]

# Alternatives in order; a string, name or dollar quote that is not closed runs to the end.
_PIECE = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<string>[eE]'(?:[^'\\]|\\.|'')*(?:'|\\?\Z) | [bBxX]?'(?:[^']|'')*(?:'|\Z))
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$(?:.*?\$(?P=tag)\$|.*\Z))
  | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
  | (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d][\w$]*)
  | (?P<end>;)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
BARE_COMMANDS = ("exit", "quit", "help")
"""Dot-commands that other shells take without the dot."""
_COMMAND = re.compile(
    rf"\s*(\.[a-z_]|\\[a-z?]|({'|'.join(BARE_COMMANDS)})\s*;*\s*\Z)", re.IGNORECASE
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


def identifier(name: str) -> str:
    """`name` as SQL, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL value; beside a column the engine reads it as the column's type."""
    return "'" + text.replace("'", "''") + "'"


class SqlToken(NamedTuple):
    """A run of characters of one kind."""

    kind: Kind
    text: str
    start: int
    """Offset in the text."""
    is_open: bool = False
    """Whether it was begun and not closed: a string, a quoted name, a block comment."""

    @property
    def end(self) -> int:
        """Offset behind its last character."""
        return self.start + len(self.text)


def tokenize(text: str) -> Iterator[SqlToken]:
    """The pieces of `text`, in order; together they are the text."""
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if (
            match is None or match.lastgroup is None
        ):  # the pattern's last alternative takes anything
            raise AssertionError(text[at:])
        kind = "dollar" if match["dollar"] is not None else match.lastgroup
        if kind == "block":
            end, is_closed = _block_end(text, at)
            yield SqlToken("comment", text[at:end], at, not is_closed)
            at = end
            continue
        found = match[0]
        at = match.end()
        if kind == "dollar":
            closing = f"${match['tag']}$"
            is_open = len(found) < 2 * len(closing) or not found.endswith(closing)
            yield SqlToken("string", found, match.start(), is_open)
        else:
            yield SqlToken(kind, found, match.start(), _is_open(kind, found))  # type: ignore[arg-type]  # a group's name is a kind


def split_statements(text: str) -> list[str]:
    """The statements of `text`, each with its semicolon and what stands before it.

    Together they are the text; a piece of blanks and comments alone belongs to the one before.
    """
    found: list[str] = []
    start = 0
    has_words = False
    for piece in tokenize(text):
        if piece.kind == "end":
            _add(found, text[start : piece.end], is_statement=has_words)
            start, has_words = piece.end, False
        elif piece.kind not in {"space", "comment"}:
            has_words = True
    if start < len(text):
        _add(found, text[start:], is_statement=has_words)
    return found


def is_complete(text: str) -> bool:
    """Whether `text` ends behind a semicolon that ends a statement, or holds no statement."""
    last = None
    for piece in tokenize(text):
        if piece.is_open:
            return False
        if piece.kind not in {"space", "comment"}:
            last = piece
    return last is None or last.kind == "end"


def is_blank(text: str) -> bool:
    """Whether `text` holds no statement: blanks, comments, semicolons."""
    return all(piece.kind in {"space", "comment", "end"} for piece in tokenize(text))


def without_end(statement: str) -> str:
    """`statement` without its semicolon and what is blank or comment around it."""
    kept = [p for p in tokenize(statement) if p.kind not in {"space", "comment", "end"}]
    return statement[kept[0].start : kept[-1].end] if kept else ""


def first_words(statement: str, count: int) -> list[str]:
    """The first `count` words of `statement`, lower case."""
    words = []
    for piece in tokenize(statement):
        if piece.kind in {"space", "comment"}:
            continue
        words.append(piece.text.lower())
        if len(words) == count:
            break
    return words


def explained_query(statement: str) -> str | None:
    """The query behind `explain refresh`, which the engine does not know; None for any other statement."""
    words = (p for p in tokenize(statement) if p.kind not in {"space", "comment"})
    first, second = next(words, None), next(words, None)
    if first is None or second is None:
        return None
    if (first.text.lower(), second.text.lower()) != ("explain", "refresh"):
        return None
    return statement[second.end :].lstrip()


def watched_query(statement: str) -> str | None:
    """The query behind `watch`, which the engine does not know; None for any other statement."""
    words = (p for p in tokenize(statement) if p.kind not in {"space", "comment"})
    first, second = next(words, None), next(words, None)
    if first is None or second is None or first.text.lower() != "watch":
        return None
    return statement[first.end :].lstrip()


def _add(found: list[str], text: str, *, is_statement: bool) -> None:
    if is_statement or not found:
        found.append(text)
    else:
        found[-1] += text


def _block_end(text: str, start: int) -> tuple[int, bool]:
    """Where the block comment at `start` ends, comments inside it counted, and whether it does."""
    depth = 0
    for edge in _BLOCK_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end(), True
    return len(text), False


def _is_open(kind: str, text: str) -> bool:
    if kind == "quoted":
        return len(text) == 1 or not _closes(text[1:], '"')
    if kind == "string":
        inner = text[text.index("'") + 1 :]
        if text[0] in "eE":
            inner = re.sub(r"\\.", "", inner, flags=re.DOTALL)
        return not _closes(inner, "'")
    return False


def _closes(inner: str, quote: str) -> bool:
    """Whether the text behind an opening quote ends in the one that closes it."""
    trailing = len(inner) - len(inner.rstrip(quote))
    return trailing % 2 == 1


@dataclass(frozen=True)
class Entry:
    """One thing to do: a dot-command, or a statement."""

    text: str
    is_command: bool


def is_command(text: str) -> bool:
    """Whether `text`, standing where a statement may begin, is a dot-command or one of psql's.

    So is one of BARE_COMMANDS alone.
    """
    return bool(_COMMAND.match(text))


def ends_entry(text: str) -> bool:
    """Whether nothing more belongs to `text`: it is complete, or ends in a dot-command."""
    if is_complete(text):
        return True
    pieces = split_statements(text)
    return len(pieces) > 1 and is_command(pieces[-1])


def entries_of(script: str) -> Iterator[Entry]:
    """What `script` asks for, in order; a dot-command ends with its line."""
    waiting = ""
    for line in script.splitlines(keepends=True):
        if is_blank(waiting) and is_command(line):
            yield _entry(line)
            waiting = ""
            continue
        waiting += line
        if ";" in line and ends_entry(waiting):
            yield from map(_entry, split_statements(waiting))
            waiting = ""
    if not is_blank(waiting):
        yield from map(_entry, split_statements(waiting))


def _entry(text: str) -> Entry:
    return (
        Entry(text.strip(), is_command=True) if is_command(text) else Entry(text, is_command=False)
    )


def utf8_text(data: bytes, name: str) -> str:
    """`data` as text, without a byte order mark.

    *Raises* UsageError that says of `name` which byte is no UTF-8.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{name} cannot be read: it is UTF-16", hint="save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as exc:
        before = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        raise UsageError(
            f"{name} cannot be read: byte {exc.start + before + 1} is no UTF-8"
        ) from exc
