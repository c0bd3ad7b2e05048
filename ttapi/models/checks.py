# SPDX-License-Identifier: Apache-2.0
"""Checks: SELECTs of bad rows, from model headers and from `sql/checks/`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, QueryError
from ttapi.sqltext import literal
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.models.graph import ModelGraph
    from ttapi.models.header import HeaderCheck
    from ttapi.models.model import CheckModel, Model
    from ttapi.store.engine import Connection


@dataclass(frozen=True)
class CheckOutcome:
    """What a check found."""

    dataset: str
    check: str
    failures: int
    sample: str | None
    """The first bad row as JSON; None when there is none."""


def run_header_checks(
    cursor: Connection, model: Model, keys: Sequence[str] | None = None
) -> list[CheckOutcome]:
    """Outcomes of `model`'s header checks, on the rows of `keys` only where its grain has the key.

    *Raises* ModelError when a check cannot run, such as an unknown column.
    """
    condition = "true"
    if keys is not None and "symbol" in model.grain:
        condition = f"symbol in ({', '.join(literal(k) for k in keys)})" if keys else "false"
    source = f"(select * from {model.qualified} where {condition})"
    return [
        _run(cursor, model.name, str(c), check_sql(c, model, source), model) for c in model.checks
    ]


def run_check_models(cursor: Connection, checks: Iterable[CheckModel]) -> list[CheckOutcome]:
    """Outcomes of the files in `sql/checks/`."""
    return [_run(cursor, f"checks.{c.name}", c.name, c.body, c) for c in checks]


def prove_checks(cursor: Connection, graph: ModelGraph) -> None:
    """Have the engine bind every check of a plugin's or the user's, without running one.

    *Raises* ModelError naming the file of one that cannot run, such as one of an unknown column.
    """
    for model in graph.models.values():
        if not model.is_bundled:
            for check in model.checks:
                _bind(cursor, str(check), check_sql(check, model, model.qualified), model)
    for file in graph.checks:
        _bind(cursor, file.name, file.body, file)


def _bind(cursor: Connection, name: str, sql: str, model: Model | CheckModel) -> None:
    try:
        with engine_errors():
            cursor.execute(f"describe {sql}")
    except QueryError as exc:
        raise _cannot_run(name, exc, model) from exc


def _cannot_run(name: str, exc: QueryError, model: Model | CheckModel) -> ModelError:
    return ModelError(f"check {name}: {exc.message.splitlines()[0]}", file=model.file)


def check_sql(check: HeaderCheck, model: Model, source: str) -> str:
    """The SELECT of bad rows of one header check on `source`."""
    names = model.grain if check.arguments == ("grain",) else check.arguments
    if check.kind == "not_null":
        return f"select * from {source} where {' or '.join(f'{n} is null' for n in names)}"
    if check.kind == "unique":
        listed = ", ".join(names)
        return (
            f"select {listed}, count(*) as rows from {source} group by {listed} having count(*) > 1"
        )
    column, low, high = check.arguments
    return f"select * from {source} where {column} < {low} or {column} > {high}"


def _run(
    cursor: Connection, dataset: str, name: str, sql: str, model: Model | CheckModel
) -> CheckOutcome:
    try:
        with engine_errors():
            failures = cursor.execute(f"select count(*) from ({sql}) as bad").fetchall()[0][0]
            sample = None
            if failures:
                described = cursor.execute(f"select * from ({sql}) as bad limit 1")
                names = [column[0] for column in described.description]
                sample = json.dumps(
                    dict(zip(names, described.fetchall()[0], strict=True)), default=str
                )
    except QueryError as exc:
        raise _cannot_run(name, exc, model) from exc
    return CheckOutcome(dataset, name, failures, sample)
