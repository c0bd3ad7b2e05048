# SPDX-License-Identifier: Apache-2.0
"""Dot-commands that say what there is: relations, columns, functions, indexes, databases."""

from __future__ import annotations

import fnmatch
import re
import sys
from typing import TYPE_CHECKING

from ttapi.cli.shell.dot.command import DotCommand, words_in
from ttapi.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttapi.cli.shell.names import Relation
    from ttapi.cli.shell.session import Session


def show_lines(session: Session, lines: Sequence[str]) -> None:
    """Write lines of data to the screen, or to where `.output` says."""
    from ttapi.cli.shell.options import show_text

    text = "".join(f"{line}\n" for line in lines)
    target = session.options.once or session.options.output
    session.options.once = None
    if target is None:
        show_text(text, has_pager=session.options.has_pager)
        return
    try:
        with target.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc


def columns_of(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> list[str]:
    """Rows as aligned columns under their heads, the last one cut to the screen."""
    from ttapi.cli.shell.options import screen_width
    from ttapi.formats.values import fitted, shown

    table = [heads, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    limit = screen_width() or sys.maxsize
    return [fitted(line, limit) for line in lines]


def _matching(
    session: Session, rest: str, usage: str, fits: Callable[[Relation], bool]
) -> list[Relation]:
    words = words_in(rest, usage)
    relations = session.catalog.relations.values()
    if not words:
        return [r for r in relations if fits(r) and (r.is_public or r.kind == "temporary")]
    return [r for r in relations if fits(r) and _is_like(r.name, words[0])]


def _is_like(name: str, pattern: str) -> bool:
    """Whether a name matches: `%` and `*` stand for any characters, else it is searched for."""
    pattern = pattern.lower().removeprefix("main.").replace("%", "*")
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(name.lower(), pattern)
    return pattern in name.lower()


def _list(session: Session, rest: str, usage: str, fits: Callable[[Relation], bool]) -> None:
    found = _matching(session, rest, usage, fits)
    if not found:
        raise UsageError(
            f"no relation matches {rest.strip()!r}", hint=".tables % lists all schemas"
        )
    rows = [(relation.name, relation.kind, relation.about) for relation in found]
    show_lines(session, columns_of(rows, ("relation", "kind", "about")))


def _tables(session: Session, rest: str) -> None:
    _list(session, rest, ".tables [PATTERN]", lambda _: True)


def _views(session: Session, rest: str) -> None:
    _list(session, rest, ".views [PATTERN]", lambda relation: relation.kind == "view")


def _describe(session: Session, rest: str) -> None:
    words = words_in(rest, ".describe RELATION")
    if not words:
        _tables(session, "")
        return
    catalog = session.catalog
    relation = catalog.relation(words[0])
    if relation is None:
        function = catalog.functions.get(words[0].lower())
        if function is not None:
            line = f"{function.signature}: {function.kind.replace('_', ' ')}"
            show_lines(session, [line, function.about] if function.about else [line])
            return
        hint = did_you_mean(words[0], catalog.relations) or ".tables lists them"
        raise UsageError(f"{words[0]!r} is no relation", hint=hint)
    head = [
        f"{relation.name} ({relation.kind})" + (f": {relation.about}" if relation.about else "")
    ]
    rows = [(column.name, column.type, column.about) for column in relation.columns]
    show_lines(session, head + columns_of(rows, ("column", "type", "about")))


def _schema(session: Session, rest: str) -> None:
    words = words_in(rest, ".schema [PATTERN]")
    graph = session.database.load_environment().graph
    lines = []
    for name, model in graph.models.items():
        is_wanted = _is_like(name, words[0]) if words else model.schema == "main"
        if is_wanted:
            body = model.body.rstrip()
            head = "" if model.kind == "macro" else f"create {model.kind} {model.qualified} as\n"
            lines += [f"-- {model.file}", *f"{head}{body};".splitlines(), ""]
    for name, sql in _session_views(session):
        if not words or _is_like(name, words[0]):
            lines += [f"create temp view {name} as {sql};", ""]
    if not lines:
        raise UsageError(f"no model matches {rest.strip()!r}", hint=".schema lists those of main")
    show_lines(session, lines[:-1])


def _session_views(session: Session) -> list[tuple[str, str]]:
    return sorted(session.database.reader.temporary_views().items())


def _functions(session: Session, rest: str) -> None:
    words = words_in(rest, ".functions [PATTERN]")
    found = [
        function
        for function in session.catalog.functions.values()
        if (_is_like(function.name, words[0]) if words else function.is_own)
    ]
    if not found:
        raise UsageError(f"no function matches {rest.strip()!r}", hint=".functions % lists all")
    found.sort(key=lambda function: (not function.is_own, function.name))
    rows = [(f.signature, f.kind.replace("_", " "), f.about) for f in found]
    show_lines(session, columns_of(rows, ("function", "kind", "about")))


def _databases(session: Session, rest: str) -> None:
    words_in(rest, ".databases", most=0)
    home = session.home
    rows = [
        ("market", str(home.public_file), "read-only", home.public_file.resolve().name),
        ("temp", "in memory", "read-write", "of this session"),
    ]
    show_lines(session, columns_of(rows, ("database", "file", "mode", "generation")))


def _indexes(session: Session, rest: str) -> None:
    words_in(rest, ".indexes", most=0)
    rows = session.rows(
        "select schema_name || '.' || table_name, index_name, coalesce(sql, '') from duckdb_indexes()"
    )
    if not rows:
        show_lines(
            session, ["no index: columns are stored in order, and zone maps skip what cannot match"]
        )
        return
    shown = [[re.sub(r"\s+", " ", str(cell)) for cell in row] for row in rows]
    show_lines(session, columns_of(shown, ("table", "index", "definition")))


COMMANDS = (
    DotCommand(
        ".tables", "[PATTERN]", "relations of main and of the session; % for every schema",
        _tables, ("\\dt", ".ls"), "relation",
    ),
    DotCommand(".views", "[PATTERN]", "views only", _views, ("\\dv",), "relation"),
    DotCommand(
        ".describe", "[RELATION]", "columns of a relation, with unit, sign and null meaning; what a macro gives",
        _describe, ("\\d", ".desc", ".columns"), "relation",
    ),
    DotCommand(
        ".schema", "[PATTERN]", "the SQL that relations and macros are made of", _schema, (), "relation"
    ),
    DotCommand(
        ".functions", "[PATTERN]", "macros of this database; % for the engine's functions too",
        _functions, ("\\df",),
    ),
    DotCommand(".databases", "", "files that are open, and their generation", _databases, ("\\l",)),
    DotCommand(".indexes", "", "indexes of the published file", _indexes, ("\\di",)),
)  # fmt: skip
