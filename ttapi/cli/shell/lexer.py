# SPDX-License-Identifier: Apache-2.0
"""Colours for DuckDB's SQL, words taken from the engine's own lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pygments.lexer import Lexer  # type: ignore[import-untyped]  # pygments has no types
from pygments.token import (  # type: ignore[import-untyped]  # pygments has no types
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

from ttapi.cli.shell.statements import is_command, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttapi.cli.shell.catalog import Catalog

_TOKENS: dict[str, Any] = {
    "space": Whitespace,
    "comment": Comment,
    "string": String,
    "quoted": Name.Variable,
    "number": Number,
    "end": Punctuation,
}


class DuckdbLexer(Lexer):  # type: ignore[misc]  # pygments has no types
    """SQL as DuckDB reads it, and the shell's dot-commands.

    `catalog` is asked each time for the words that are known by then: none before the first answer
    of the engine.
    """

    name = "DuckDB SQL"
    aliases = ("duckdb",)

    def __init__(self, catalog: Callable[[], Catalog | None], **options: Any) -> None:
        super().__init__(**{**options, "ensurenl": False, "stripnl": False})
        self._catalog = catalog

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Offset, token and text of each piece; together they are the text."""
        start = 0
        if is_command(text):
            head = text.split(None, 1)[0]
            start = text.index(head) + len(head)
            yield 0, Keyword.Pseudo, text[:start]
        catalog = self._catalog()
        keywords = _keywords(catalog) if catalog else frozenset()
        for piece in pieces_of(text[start:]):
            token = _TOKENS.get(piece.kind)
            if token is None:
                token = (
                    _word(piece.text.lower(), catalog, keywords)
                    if piece.kind == "name"
                    else Operator
                )
            yield start + piece.start, token, piece.text


def _keywords(catalog: Catalog) -> frozenset[str]:
    """The engine's keywords, but for those that are columns here: `close`, `date`."""
    columns = (column.name for one in catalog.relations.values() for column in one.columns)
    return frozenset(catalog.keywords).difference(columns)


def _word(word: str, catalog: Catalog | None, keywords: frozenset[str]) -> Any:
    if catalog is None:
        return Name
    if word in catalog.relations:
        return Name.Class
    if word in keywords:
        return Keyword
    return Name.Function if word in catalog.functions else Name
