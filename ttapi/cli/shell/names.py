# SPDX-License-Identifier: Apache-2.0
"""What there is to name: relations with columns, functions, keywords, settings, of one generation.

Colours for DuckDB's SQL, words taken from the engine's own lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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

from ttapi.sqltext import is_command, tokenize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ttapi.home import Home

_HIDDEN = ("raw", "staged", "derived", "catalog")
"""Schemas whose relations are offered after those of main."""


@dataclass(frozen=True)
class ColumnInfo:
    """One column."""

    name: str
    type: str
    about: str = ""
    """Its comment: unit, sign, null meaning."""


@dataclass(frozen=True)
class Relation:
    """One table or view."""

    name: str
    """`eod` in main, else `schema.stem`."""
    kind: str
    """table, view, or temporary."""
    about: str = ""
    columns: tuple[ColumnInfo, ...] = ()

    @property
    def stem(self) -> str:
        """Its name without the schema."""
        return self.name.rpartition(".")[2]

    @property
    def is_public(self) -> bool:
        """Whether it stands in main, where users look first."""
        return "." not in self.name


@dataclass(frozen=True)
class Function:
    """One function or macro."""

    name: str
    kind: str
    """scalar, aggregate, table, macro, table_macro."""
    signature: str
    """`quantile_cont(x, pos)`"""
    is_own: bool = False
    """Whether it is a macro of this database."""
    about: str = ""
    """What a macro of this database says of itself."""

    @property
    def gives_rows(self) -> bool:
        """Whether it stands after FROM."""
        return self.kind in {"table", "table_macro"}


@dataclass(frozen=True)
class SqlNames:
    """Everything by lower-case name."""

    relations: Mapping[str, Relation] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    keywords: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """What each engine setting does."""

    def with_temporary(self, relations: Mapping[str, Relation]) -> SqlNames:
        """The catalog with the session's own tables and views."""
        return replace(self, relations={**self.relations, **relations}) if relations else self

    def relation(self, name: str) -> Relation | None:
        """The relation called `name`, `main.` or a database in front of it or not."""
        lower = name.lower().replace('"', "").removeprefix("market.").removeprefix("main.")
        return self.relations.get(lower)


_COLUMNS = """
select schema_name, table_name, column_name, data_type, comment
from duckdb_columns()
where not internal and database_name = current_database()
order by schema_name, table_name, column_index
"""
_RELATIONS = """
select schema_name, table_name, 'table', comment from duckdb_tables()
where not internal and database_name = current_database()
union all
select schema_name, view_name, 'view', comment from duckdb_views()
where not internal and database_name = current_database()
"""
_FUNCTIONS = """
select function_name, function_type, parameters, internal, varargs, comment from duckdb_functions()
where regexp_full_match(function_name, '[a-zA-Z]\\w*') and function_type <> 'pragma'
    and (internal or schema_name = 'main')
"""
_TEMPORARY = """
select table_name, column_name, data_type from duckdb_columns()
where not internal and database_name = 'temp' order by table_name, column_index
"""


def read_catalog(home: Home) -> SqlNames:
    """The catalog of the newest published generation, read on a connection of its own."""
    from ttapi.api import operations

    with operations.published(home) as ask:
        return SqlNames(
            relations=_relations(ask(_RELATIONS), ask(_COLUMNS)),
            functions=_functions(ask(_FUNCTIONS)),
            keywords=tuple(row[0] for row in ask("select keyword_name from duckdb_keywords()")),
            settings={
                row[0]: row[1] for row in ask("select name, description from duckdb_settings()")
            },
        )


def read_temporary(ask: Callable[[str], Sequence[tuple[Any, ...]]]) -> Mapping[str, Relation]:
    """The session's own tables and views."""
    columns: dict[str, list[ColumnInfo]] = {}
    for table, column, kind in ask(_TEMPORARY):
        columns.setdefault(table, []).append(ColumnInfo(column, kind))
    return {
        name.lower(): Relation(name, "temporary", "of this session", tuple(found))
        for name, found in columns.items()
    }


def _relations(
    relations: Sequence[tuple[Any, ...]], columns: Sequence[tuple[Any, ...]]
) -> Mapping[str, Relation]:
    by_relation: dict[tuple[str, str], list[ColumnInfo]] = {}
    for schema, table, column, kind, comment in columns:
        by_relation.setdefault((schema, table), []).append(ColumnInfo(column, kind, comment or ""))
    found = {}
    for schema, table, kind, comment in sorted(relations, key=_public_first):
        name = table if schema == "main" else f"{schema}.{table}"
        held = tuple(by_relation.get((schema, table), ()))
        found[name.lower()] = Relation(name, kind, comment or "", held)
    return found


def _public_first(row: tuple[Any, ...]) -> tuple[bool, str, str]:
    return row[0] in _HIDDEN, row[0], row[1]


def _functions(rows: Sequence[tuple[Any, ...]]) -> Mapping[str, Function]:
    found: dict[str, Function] = {}
    for name, kind, parameters, is_internal, varargs, comment in rows:
        known = found.get(name.lower())
        names = [p if p and "." not in p else "x" for p in parameters or ()]
        signature = f"{name}({', '.join([*names, *(['...'] if varargs else [])])})"
        if known is None or len(signature) > len(known.signature):
            found[name.lower()] = Function(name, kind, signature, not is_internal, comment or "")
    return found


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

    def __init__(self, catalog: Callable[[], SqlNames | None], **options: Any) -> None:
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
        for piece in tokenize(text[start:]):
            token = _TOKENS.get(piece.kind)
            if token is None:
                token = (
                    _word(piece.text.lower(), catalog, keywords)
                    if piece.kind == "name"
                    else Operator
                )
            yield start + piece.start, token, piece.text


def _keywords(catalog: SqlNames) -> frozenset[str]:
    """The engine's keywords, but for those that are columns here: `close`, `date`."""
    columns = (column.name for one in catalog.relations.values() for column in one.columns)
    return frozenset(catalog.keywords).difference(columns)


def _word(word: str, catalog: SqlNames | None, keywords: frozenset[str]) -> Any:
    if catalog is None:
        return Name
    if word in catalog.relations:
        return Name.Class
    if word in keywords:
        return Keyword
    return Name.Function if word in catalog.functions else Name
