# SPDX-License-Identifier: Apache-2.0
"""Statements as the engine's own parser takes them: what kind each is, and which files it would write.

Which files is told by the engine's own tokens; none of ttapi's own is let through.

What a statement of somebody who is not trusted may be: one SELECT of functions that only compute.

The engine's own parser says so. The boundary is elsewhere: a worker holds no file but the one it has
opened, and can open none (`store/sandbox_worker.py`). What is refused here would tell of the machine, or
waste a worker. Table functions are allowed by name, so that one of a newer engine is refused; of
scalars few are refused.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ttapi.errors import QueryError, UsageError
from ttapi.home import is_live_path, refuse_home_path
from ttapi.sqltext import explained_query, split_statements
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.home import Home
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


ALLOWED_TABLE_FUNCTIONS = frozenset({
    "collations", "duckdb_columns", "duckdb_constraints", "duckdb_dependencies", "duckdb_functions",
    "duckdb_indexes",
    "duckdb_keywords", "duckdb_schemas", "duckdb_sequences", "duckdb_tables", "duckdb_types",
    "duckdb_views", "functions", "generate_series", "histogram", "histogram_values",
    "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names", "pragma_collations",
    "pragma_platform", "pragma_show", "pragma_table_info", "pragma_version", "range", "repeat",
    "repeat_row", "summary", "test_all_types", "unnest",
})  # fmt: skip
"""The engine's own; those of the file that is read come beside them."""
REFUSED_FUNCTIONS = frozenset({
    "current_setting", "getenv", "getvariable", "json_execute_serialized_sql", "json_serialize_plan",
    "pg_sleep", "query", "query_table", "sleep_ms", "write_log",
})  # fmt: skip
"""Of the machine and of settings, of the log, of nothing but time, and those that run a text as SQL."""
REFUSED_PREFIXES = ("__internal",)
"""Functions that the engine's own plans call, with arguments it does not look at."""
REFUSED_RELATIONS = frozenset({
    "duckdb_databases", "duckdb_logs", "duckdb_settings", "pg_database", "pg_prepared_statements",
    "pg_settings", "pragma_database_list", "variables",
})  # fmt: skip
"""The engine's own views that tell where the file lies and how it was opened."""
_HINT = "one SELECT over relations of this database is answered"
_NAMES = {
    "FUNCTION": "function_name",
    "WINDOW": "function_name",
    "BASE_TABLE": "table_name",
    "SHOW_REF": "table_name",
}
"""Where the engine's tree of a statement keeps names, by class or type of the node."""
_WRITES = "_QUERY_NODE"
"""How the type of a node ends that inserts, updates or deletes, in a CTE."""


def require_harmless(connection: Connection, sql: str) -> None:
    """Nothing, or QueryError for a text that is not one SELECT, or that calls or reads what is refused."""
    with engine_errors():
        kinds = _kinds(connection, sql)
        if len(kinds) != 1:
            what = f"{len(kinds)} statements" if kinds else "no statement"
            raise QueryError(f"{what} given, one is answered", hint=_HINT)
        if kinds != ["SELECT"]:
            what = "PIVOT without IN" if kinds == ["MULTI"] else kinds[0]
            raise QueryError(f"{what} is not answered here", hint=_HINT)
        ((text,),) = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError as exc:
        raise QueryError("the statement is nested too deep", hint=_HINT) from exc
    if tree.get("error"):
        raise QueryError(f"not answered here: {tree.get('error_message')}", hint=_HINT)
    own = None
    for kind, name in _named(tree):
        if is_refused(kind, name):
            raise QueryError(f"{name} is not available here", hint=_HINT)
        if kind == "TABLE_FUNCTION" and name not in ALLOWED_TABLE_FUNCTIONS:
            own = _table_macros(connection) if own is None else own
            if name not in own:
                raise QueryError(f"the table function {name} is not available here", hint=_HINT)


def _kinds(connection: Connection, sql: str) -> list[str]:
    """What each statement is, by the engine's word."""
    try:
        return [statement.type.name for statement in connection.extract_statements(sql)]
    except ValueError:  # the client has no word for it
        return ["OTHER"]


def is_refused(kind: str, name: str) -> bool:
    """Whether a node of that kind (FUNCTION, BASE_TABLE, WRITE) may not name `name`."""
    if kind == "WRITE":
        return True
    if kind in {"BASE_TABLE", "SHOW_REF"}:
        return name in REFUSED_RELATIONS
    return name in REFUSED_FUNCTIONS or name.startswith(REFUSED_PREFIXES)


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """Every function and relation that the tree names, lower case, with the kind of its node."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            # Of a constant DuckDB 1.5 writes a type that is an object.
            said, group = (_text_of(one.get(name)) for name in ("type", "class"))
            kind = said if said in _NAMES else group
            if said.endswith(_WRITES):
                yield "WRITE", said.removesuffix(_WRITES).lower()
            if said == "TABLE_FUNCTION" and isinstance(one.get("function"), dict):
                yield "TABLE_FUNCTION", _bare_name(one["function"].get("function_name"))
            elif kind in _NAMES:
                yield kind, _bare_name(one.get(_NAMES[kind]))
            waiting += one.values()


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _bare_name(name: object) -> str:
    """As the engine looks it up; `show variables` keeps its word in quotes."""
    return str(name or "").strip('"').lower()


def _table_macros(connection: Connection) -> frozenset[str]:
    """Table macros of the file, but for those that are called like a function of the engine."""
    rows = connection.execute(
        """
        select lower(function_name) from duckdb_functions()
        group by all
        having bool_and(function_type = 'table_macro' and not internal)
        """
    ).fetchall()
    return frozenset(row[0] for row in rows)


def places_of(home: Home) -> re.Pattern[str]:
    """What finds a path that tells where this machine keeps anything of ours, to its end."""
    places = {home.root, Path(tempfile.gettempdir()), Path(sys.prefix), Path(sys.base_prefix)}
    places |= {Path(__file__).parents[2], Path.home(), Path.cwd()}
    texts = {str(place) for one in places for place in (one, one.resolve())} - {"/"}
    found = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(rf"(?:{found})[^\s'\"`,;)\]]*")
