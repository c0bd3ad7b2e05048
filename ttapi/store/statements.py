# SPDX-License-Identifier: Apache-2.0
"""Statements as the engine's own parser takes them: what kind each is, and which files it would write.

Which files is told by the engine's own tokens; none of ttapi's own is let through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ttapi.errors import QueryError, UsageError
from ttapi.home import is_live_path, refuse_home_path
from ttapi.sqltext import explained_query, split_statements
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.store.engine import Connection

_WITHOUT_ROWS = {
    "CREATE",
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "ALTER",
    "SET",
    "COPY",
    "LOAD",
    "ATTACH",
    "DETACH",
    "TRANSACTION",
    "PREPARE",
    "VACUUM",
    "EXPORT",
}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE_INTO"}
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
_CHECKPOINT = re.compile(r"\s*(force\s+)?checkpoint\b", re.IGNORECASE)
_CREATED = re.compile(r"^create table ((?:catalog|raw)\.\w+)", re.MULTILINE)
_REACHES_FILES = frozenset(
    {"copy", "export", "attach", "explain", "prepare", "set", "pragma", "call"}
)
"""First words of statements that may write a file."""
_TOKEN = re.compile(r"""[A-Za-z]?'(?:[^']|'')*'|"(?:[^"]|"")*"|\S+?(?=\s|--|/\*|\Z)""")
_COMMENT = r"--[^\n]*(?:\n|\Z)|/\*.*?\*/"
_FIRST = re.compile(rf"(?:\s|{_COMMENT})*([A-Za-z]+)", re.DOTALL)
_CONTINUED = re.compile(rf"(?:\s|{_COMMENT})*('(?:[^']|'')*')", re.DOTALL)
_FILE_URL = re.compile(r"file:(//[^/]*)?(?=/)", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """One statement of a text, as the engine's own parser splits it."""

    sql: str
    kind: str
    """The engine's word, upper case: SELECT, CREATE, SET, EXPLAIN."""
    explained: str | None = None
    """Of `explain refresh`, which the engine does not know: the query behind it."""

    @property
    def gives_rows(self) -> bool:
        """Whether its answer is rows worth showing."""
        if self.kind in _CHANGES:
            return bool(_RETURNING.search(self.sql))
        return self.kind not in _WITHOUT_ROWS and not _CHECKPOINT.match(self.sql)


def created_tables(sql: str) -> list[str]:
    """Tables that a migration makes, by the lines that begin with it."""
    return _CREATED.findall(sql)


def split(connection: Connection, sql: str) -> list[Statement]:
    """The statements of `sql`, `explain refresh` among them; none would write a file of ttapi's own.

    *Raises* QueryError with the engine's text; UsageError when one would write such a file.
    """
    found: list[Statement] = []
    waiting = ""
    for part in split_statements(sql):
        query = explained_query(part)
        if query is None:
            waiting += part
            continue
        found += _parsed(connection, waiting)
        waiting = ""
        if not (inner := _parsed(connection, query)):
            raise QueryError(
                "explain refresh is given no query",
                hint="explain refresh select * from volatility_latest where symbol = 'SPY'",
            )
        found.append(Statement(f"explain refresh {inner[0].sql}", "EXPLAIN", inner[0].sql))
    found += _parsed(connection, waiting)
    return found


def _parsed(connection: Connection, sql: str) -> list[Statement]:
    with engine_errors():
        found = [Statement(s.query, s.type.name) for s in connection.extract_statements(sql)]
    for statement in found:
        refuse_writes_into_home(statement.sql)
    return found


@dataclass(frozen=True)
class _Token:
    text: str
    is_string: bool

    @property
    def word(self) -> str:
        return self.text.lower()

    @property
    def value(self) -> str:
        """The text that a string or a quoted name stands for."""
        quote = self.text[:1]
        if quote not in {"'", '"'}:
            return self.text
        return self.text[1:-1].replace(quote * 2, quote)


def refuse_writes_into_home(sql: str) -> None:
    """Nothing, or UsageError for one statement that would write, or open to write, a file of ttapi's own.

    A target that is computed where the statement runs is refused too: nobody can tell where it leads.
    """
    first = _FIRST.match(sql)
    if first is None or first[1].lower() not in _REACHES_FILES:
        return
    tokens = _tokens(sql)
    match first[1].lower():
        case "attach":
            _refuse_attach(tokens)
        case "copy" | "explain" | "prepare":
            _refuse_copy(tokens)
        case _:
            for token in tokens:
                if token.is_string:
                    _refuse_target(token.value)


def _refuse_copy(tokens: Sequence[_Token]) -> None:
    """`copy X to TARGET (options)`, also behind `explain analyze` and `prepare p as`."""
    outer = list(_outside_brackets(tokens))
    words = [token.word for _, token in outer]
    if "copy" not in words:
        return
    behind = words.index("copy")
    if "to" not in words[behind:]:
        return
    at, _ = outer[words.index("to", behind)]
    target, *options = tokens[at + 1 :]
    is_name = bool(re.fullmatch(r'"(?:[^"]|"")*"|[A-Za-z_]\w*', target.text))
    is_joined = bool(options) and options[0].is_string
    if not (is_name or (target.is_string and target.text[:1] == "'")) or is_joined:
        raise UsageError(
            f"COPY to {target.text} does not say by itself which file it writes",
            hint="name the file: copy (select ...) to 'answer.csv'",
        )
    for option in options:
        if option.is_string and ".." in option.value:
            raise UsageError(
                f"COPY with {option.text} would leave the folder it writes to",
                hint="name a folder as the target, and files without ..",
            )
    _refuse_target(target.value)


def _refuse_attach(tokens: Sequence[_Token]) -> None:
    is_read_only = any(token.word == "read_only" for token in tokens)
    for token in tokens:
        if not token.is_string:
            continue
        path = _plain(token.value)
        if is_live_path(path):
            raise UsageError(
                f"{path} belongs to the commands that write it",
                hint="its published copy is open already, as market",
            )
        if not is_read_only:
            refuse_home_path(path)


def _refuse_target(text: str) -> None:
    refuse_home_path(_plain(text))


def _plain(text: str) -> str:
    """A path as the engine takes it: without `file:` in front."""
    return _FILE_URL.sub("", text)


def _tokens(sql: str) -> list[_Token]:
    """The tokens of `sql` without comments, which DuckDB 2.0 tells apart and 1.5 passes over.

    A string that goes on in the next line is several tokens, which 1.5 takes for one.
    """
    text = sql.encode()
    found = duckdb.tokenize(sql)
    ends = [offset for offset, _ in found[1:]] + [len(text)]
    tokens = []
    for (offset, kind), end in zip(found, ends, strict=True):
        piece = text[offset:end].decode()
        token = _TOKEN.match(piece)
        if token is None or kind == duckdb.token_type.comment:
            continue
        is_string = kind == duckdb.token_type.string_const
        tokens.append(_Token(token[0], is_string))
        while is_string and (token := _CONTINUED.match(piece, token.end())):
            tokens.append(_Token(token[1], is_string=True))
    return tokens


def _outside_brackets(tokens: Sequence[_Token]) -> Iterator[tuple[int, _Token]]:
    """The tokens that stand in no bracket, with their places."""
    depth = 0
    for n, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text != ")":
            yield n, token
