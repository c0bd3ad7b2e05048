# SPDX-License-Identifier: Apache-2.0
"""A query kept as a model file of the user's own, proved before it stays: the shell's `.save`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import LockedError, ModelError, TtapiError, UsageError
from ttapi.market.calendar import parse_ttl
from ttapi.models.model import RESERVED
from ttapi.models.references import references_in
from ttapi.sqltext import without_end

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ttapi.api.database import Database
    from ttapi.models.graph import ModelGraph

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class SaveRequest:
    """What is to be saved, and as what."""

    name: str
    is_table: bool = False
    ttl: str | None = None
    """Of a table: how old it may get; None: it follows its inputs."""
    may_replace: bool = False


def save_query(database: Database, sql: str, request: SaveRequest) -> list[Path]:
    """The files written: `views/NAME.sql`, of a table `derived/NAME.sql` as well.

    The models are read and built with them; a query that is no model leaves no file.

    *Raises* UsageError for a name or TTL that cannot be; ModelError, QueryError with the reason.
    """
    environment = database.load_environment()
    graph = environment.graph
    _refuse_name(database, graph, request)
    if request.name in references_in(sql).relations:
        raise UsageError(
            f"the query reads {request.name} itself", hint="save it under another name"
        )
    about = f"-- about: saved from the shell on {environment.now:%Y-%m-%d}\n"
    texts = _table_texts(graph, sql, request) if request.is_table else {"views": without_end(sql)}
    heads = {
        "views": "",
        "derived": f"-- kind: table\n{f'-- ttl: {request.ttl}' + chr(10) if request.ttl else ''}",
    }
    files = {
        database.home.sql / folder / f"{request.name}.sql": f"{about}{heads[folder]}{text}\n"
        for folder, text in texts.items()
    }
    stale = database.home.sql / "derived" / f"{request.name}.sql"
    before = {path: _read(path) for path in {*files, stale}}
    broken = frozenset(environment.broken)
    try:
        if not request.is_table:
            stale.unlink(missing_ok=True)
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _prove(database, request.name, broken)
    except BaseException:
        _restore(before)
        raise
    return sorted(files)


def _prove(database: Database, name: str, broken: frozenset[str]) -> None:
    """Read the models with the new one among them, build it and ask it for its columns.

    `broken`: what was wrong before. Nothing else may be now, neither it nor what reads it.
    """
    _refuse_newly_broken(database, broken)
    if name not in database.load_environment().graph.models:
        raise ModelError(f"{name} was not found among the models", file=f"sql/views/{name}.sql")
    try:
        database.sql(f'select * from "{name}" limit 0')
    except LockedError as exc:
        raise TtapiError(
            f"{name} could not be built: {exc.message}", hint="try again when the lock is free"
        ) from exc
    _refuse_newly_broken(database, broken)


def _refuse_newly_broken(database: Database, broken: frozenset[str]) -> None:
    for name, error in database.load_environment().broken.items():
        if name not in broken:
            raise error


def _refuse_name(database: Database, graph: ModelGraph, request: SaveRequest) -> None:
    if not _NAME.fullmatch(request.name):
        raise UsageError(
            f"{request.name!r} cannot be a relation", hint="lower case letters, digits and _"
        )
    if request.name in RESERVED:
        raise UsageError(
            f"{request.name} is a word of SQL, and no name in every DuckDB that opens the file",
            hint=f".save {request.name}_rows works",
        )
    if request.ttl is not None:
        parse_ttl(request.ttl)
    for taken in (request.name, f"derived.{request.name}"):
        model = graph.models.get(taken)
        if model is None:
            continue
        own = database.home.sql / model.file.partition("/")[2]
        if model.is_bundled or not own.is_file():
            raise UsageError(
                f"{taken} is already defined by {model.file}", hint="choose another name"
            )
        if not request.may_replace:
            raise UsageError(
                f"{request.name} is already yours: {own}", hint=f".save! {request.name} replaces it"
            )


def _table_texts(graph: ModelGraph, sql: str, request: SaveRequest) -> Mapping[str, str]:
    """A table of derived and the view of main over it.

    A table may not read main, which stands to its right: the views of main that the query reads
    are written out in front of it.
    """
    needed: dict[str, str] = {}
    _gather(graph, sql, needed)
    body = without_end(sql)
    if needed:
        ctes = ",\n".join(f"{name} as (\n{text}\n)" for name, text in needed.items())
        body = f"with\n{ctes}\nselect answer.*\nfrom (\n{body}\n) as answer"
    thin = f"select t.*\nfrom derived.{request.name} as t"
    return {"derived": body, "views": thin}


def _gather(graph: ModelGraph, sql: str, needed: dict[str, str]) -> None:
    """Add the views of main that `sql` reads, those they read first."""
    for name in sorted(references_in(sql).relations):
        model = graph.models.get(name)
        if model is None or model.schema != "main" or model.kind != "view" or name in needed:
            continue
        _gather(graph, model.body, needed)
        needed[name] = model.body.strip()


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _restore(before: Mapping[Path, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")
