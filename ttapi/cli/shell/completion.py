# SPDX-License-Identifier: Apache-2.0
"""What may stand at the cursor: relations after FROM, columns of what is read, functions, commands.

Pure: text and a catalog in, candidates out.

What an unfinished statement reads: relations, the names they go by, their columns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.sqltext import SqlToken, identifier, is_command, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ttapi.cli.shell.dot.command import DotCommand
    from ttapi.cli.shell.names import Function, Relation, SqlNames

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
class VisibleRelation:
    """A relation that the statement reads, and the name its columns may be qualified by."""

    alias: str
    columns: Sequence[tuple[str, str]]
    """Name and what is known of it."""


@dataclass(frozen=True)
class RelationPositions:
    """Where in a statement relations stand."""

    at: Sequence[int]
    """Indexes of the words that name one."""
    is_next: bool
    """Whether one is to come behind the last word."""


def relation_positions(words: Sequence[SqlToken]) -> RelationPositions:
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
    return RelationPositions(found, is_next)


def visible_relations(words: Sequence[SqlToken], catalog: SqlNames) -> list[VisibleRelation]:
    """The relations that the statement reads, with the names their columns are qualified by."""
    ctes = _ctes(words)
    found: list[VisibleRelation] = []
    for n in relation_positions(words).at:
        name, behind = _dotted(words, n)
        relation = catalog.relation(name)
        columns: Sequence[tuple[str, str]]
        if name in ctes:
            columns = [(column, "") for column in ctes[name]]
        elif relation is not None:
            columns = _columns(relation)
        else:
            continue
        found.append(VisibleRelation(_alias(words, behind) or name.rpartition(".")[2], columns))
    return found


def _columns(relation: Relation) -> list[tuple[str, str]]:
    return [
        (c.name, f"{c.type.lower()}{', ' if c.about else ''}{c.about}") for c in relation.columns
    ]


def _dotted(words: Sequence[SqlToken], at: int) -> tuple[str, int]:
    """The name that begins at a word, dots followed, lower case; and the place behind it."""
    name = words[at].text.strip('"').lower()
    at += 1
    while (
        at + 1 < len(words) and words[at].text == "." and words[at + 1].kind in {"name", "quoted"}
    ):
        name += "." + words[at + 1].text.strip('"').lower()
        at += 2
    return name, at


def _alias(words: Sequence[SqlToken], at: int) -> str | None:
    if at < len(words) and words[at].text.lower() == "as":
        at += 1
    if at < len(words) and words[at].kind in {"name", "quoted"}:
        word = words[at].text.strip('"')
        if word.lower() not in _AFTER_RELATION:
            return word
    return None


def _ctes(words: Sequence[SqlToken]) -> Mapping[str, list[str]]:
    """Column names by CTE, as far as `... as name` and plain names in its select list say them."""
    found: dict[str, list[str]] = {}
    for n in range(len(words) - 2):
        opening = [word.text.lower() for word in words[n + 1 : n + 3]]
        is_head = words[n].kind == "name" and opening == ["as", "("]
        before = words[n - 1].text.lower() if n else ""
        if is_head and before in {"with", ",", "recursive"}:
            found[words[n].text.lower()] = _select_list(words, n + 3)
    return found


def _select_list(words: Sequence[SqlToken], at: int) -> list[str]:
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


MOST = 200
"""Candidates that are offered at once."""
_BEFORE_SETTING = {"set", "reset", "pragma"}


@dataclass(frozen=True)
class Candidate:
    """One thing that may be typed."""

    text: str
    typed: int
    """Characters before the cursor that it replaces."""
    about: str = ""
    kind: str = ""


def candidates(
    text: str, cursor: int, catalog: SqlNames, commands: Sequence[DotCommand]
) -> list[Candidate]:
    """What fits at `cursor` in `text`, likeliest first."""
    if is_command(text) or text[:cursor].strip() in {".", "\\"}:
        return _of_command(text[:cursor], catalog, commands)
    return list(_of_statement(_statement_at(text, cursor), text, cursor, catalog))[:MOST]


def _statement_at(text: str, cursor: int) -> list[SqlToken]:
    """The pieces of the statement in which the cursor stands."""
    found: list[SqlToken] = []
    for piece in tokenize(text):
        if piece.kind == "end":
            if piece.end > cursor:
                break
            found = []
        else:
            found.append(piece)
    return found


def _of_statement(
    pieces: Sequence[SqlToken], text: str, at: int, catalog: SqlNames
) -> Iterator[Candidate]:
    here = next((p for p in pieces if p.start < at <= p.end), None)
    if here is not None and (
        here.kind == "comment" or (here.kind == "string" and (here.is_open or at < here.end))
    ):
        return
    typed = text[here.start : at] if here and here.kind in {"name", "quoted"} else ""
    said = [p for p in pieces if p.kind not in {"space", "comment"}]
    words = [p for p in said if p.end <= at - len(typed)]
    reads = visible_relations([p for p in said if not p.start < at <= p.end], catalog)
    if words and words[-1].text == ".":
        yield from _after_dot(words, typed, catalog, reads)
        return
    previous = words[-1].text.lower() if words else ""
    if relation_positions(words).is_next:
        yield from _relations(typed, catalog, reads)
        return
    if previous in _BEFORE_SETTING:
        yield from _ranked(typed, ((n, about, "setting") for n, about in catalog.settings.items()))
        return
    columns = {name: about for read in reads for name, about in read.columns}
    if typed and not reads and "select" in {word.text.lower() for word in words}:
        columns = _usual_columns(catalog)
    offered: list[tuple[str, str, str]] = [(n, about, "column") for n, about in columns.items()]
    offered += [(r.alias, "alias", "alias") for r in reads if r.alias not in columns]
    if typed or not columns:
        scalars = [f for f in catalog.functions.values() if not f.gives_rows]
        # Hundreds of collations, one a language, hide what somebody may be looking for.
        is_asked = "coll" in typed.lower()
        scalars = [f for f in scalars if is_asked or "collate" not in f.name]
        offered += [_as_function(f) for f in sorted(scalars, key=lambda f: not f.is_own)]
        offered += [(word, "", "keyword") for word in catalog.keywords]
    yield from _ranked(typed, offered)


def _usual_columns(catalog: SqlNames) -> dict[str, str]:
    """The columns of public relations, those of most relations first: what is read is not said yet."""
    about: dict[str, str] = {}
    times: Counter[str] = Counter()
    for relation in catalog.relations.values():
        if relation.is_public:
            about = {one.name: one.about for one in relation.columns} | about
            times.update(one.name for one in relation.columns)
    return {name: about[name] for name, _ in times.most_common()}


def _after_dot(
    words: Sequence[SqlToken], typed: str, catalog: SqlNames, reads: Sequence[VisibleRelation]
) -> Iterator[Candidate]:
    owner = words[-2].text.strip('"').lower() if len(words) > 1 else ""
    for read in reads:
        if read.alias.lower() == owner:
            yield from _ranked(typed, ((n, about, "column") for n, about in read.columns))
            return
    prefix = f"{owner}."
    inside = [r for name, r in catalog.relations.items() if name.startswith(prefix)]
    if owner == "main":
        inside = [r for r in catalog.relations.values() if r.is_public]
    yield from _ranked(typed, ((r.stem, r.about, r.kind) for r in inside))


def _relations(
    typed: str, catalog: SqlNames, reads: Sequence[VisibleRelation]
) -> Iterator[Candidate]:
    del reads  # a relation may be read twice
    public = [r for r in catalog.relations.values() if r.is_public]
    offered = [(r.name, r.about, r.kind) for r in public]
    own = [f for f in catalog.functions.values() if f.gives_rows]
    offered += [
        _as_function(f) for f in sorted(own, key=lambda f: not f.is_own) if f.is_own or typed
    ]
    if typed:
        offered += [
            (r.name, r.about, r.kind) for r in catalog.relations.values() if not r.is_public
        ]
        schemas = {r.name.partition(".")[0] for r in catalog.relations.values() if not r.is_public}
        offered += [(f"{schema}.", "schema", "schema") for schema in sorted(schemas)]
    yield from _ranked(typed, offered)


def _as_function(function: Function) -> tuple[str, str, str]:
    return f"{function.name}(", function.signature, "macro" if function.is_own else "function"


def _ranked(typed: str, offered: Iterable[tuple[str, str, str]]) -> Iterator[Candidate]:
    """Those that begin with what was typed, then those that hold its letters in order."""
    wanted = typed.strip('"').lower()
    begun, held, loose = [], [], []
    seen: set[str] = set()
    for text, about, kind in offered:
        lower = text.lower()
        if lower in seen or lower == wanted:
            continue
        seen.add(lower)
        one = Candidate(_quoted(text, kind), len(typed), about, kind)
        if lower.startswith(wanted):
            begun.append(one)
        elif len(wanted) > 1 and (f"_{wanted}" in lower or f".{wanted}" in lower):
            held.append(one)
        elif len(wanted) > 2 and kind != "keyword" and _holds(lower, wanted):
            loose.append(one)
    yield from begun
    yield from held
    yield from loose


def _holds(text: str, wanted: str) -> bool:
    rest = iter(text)
    return text[0] == wanted[0] and all(char in rest for char in wanted)


def _quoted(text: str, kind: str) -> str:
    if (
        kind in {"column", "table", "view", "temporary"}
        and not text.replace("_", "").replace(".", "").isalnum()
    ):
        return identifier(text)
    return text


def _of_command(before: str, catalog: SqlNames, commands: Sequence[DotCommand]) -> list[Candidate]:
    head, blank, rest = before.lstrip().partition(" ")
    if not blank:
        offered = [(name, c.about, "command") for c in commands for name in (c.name, *c.aliases)]
        return [
            Candidate(text, len(head), about, kind)
            for text, about, kind in offered
            if text.lower().startswith(head.lower())
        ]
    command = next(
        (c for c in commands if head.lower() in (c.name, *c.aliases) or head in c.aliases), None
    )
    if command is None:
        return []
    typed = rest.rpartition(" ")[2]
    return list(_arguments(command, typed, rest, catalog, commands))


def _arguments(
    command: DotCommand, typed: str, rest: str, catalog: SqlNames, commands: Sequence[DotCommand]
) -> Iterator[Candidate]:
    if command.completes == "sql":
        yield from _of_statement(list(tokenize(rest)), rest, len(rest), catalog)
    elif command.completes in {"relation", "dataset"}:
        relations = sorted(catalog.relations.values(), key=lambda r: not r.is_public)
        yield from _ranked(typed, ((r.name, r.about, r.kind) for r in relations))
    elif command.completes == "file":
        yield from _files(typed)
    elif command.completes == "command":
        yield from _ranked(typed, ((c.name, c.about, "command") for c in commands))
    else:
        yield from _ranked(typed, _words(command.completes))


def _words(kind: str) -> Iterator[tuple[str, str, str]]:
    from ttapi.cli.cone import SYMBOL_CHARTS
    from ttapi.formats.chart import CHARTS
    from ttapi.formats.records import FORMATS

    if kind == "format":
        yield "auto", "duckbox on a terminal, else csv", "format"
        for name, one in FORMATS.items():
            yield name, one.about, "format"
    elif kind == "switch":
        yield from (("on", "", "switch"), ("off", "", "switch"))
    elif kind == "chart":
        for name in (*CHARTS, *SYMBOL_CHARTS):
            yield name, "", "chart"


def _files(typed: str) -> Iterator[Candidate]:
    folder, _, begun = typed.rpartition("/")
    root = Path(f"{folder}/" if folder or typed.startswith("/") else ".").expanduser()
    try:
        inside = sorted(root.iterdir())[: 10 * MOST]
    except OSError:
        return
    for path in inside:
        if path.name.startswith(begun) and (begun or not path.name.startswith(".")):
            yield Candidate(path.name + ("/" if path.is_dir() else ""), len(begun), "", "file")
