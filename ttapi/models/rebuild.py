# SPDX-License-Identifier: Apache-2.0
"""A stored table brought up to date: whole, or only the keys whose inputs changed.

The new content is made beside the old one and compared; an equal table is left alone, so nothing
downstream is rebuilt (early cutoff). All of it happens in the caller's transaction.

Checks: SELECTs of bad rows, from model headers and from `sql/checks/`.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, QueryError
from ttapi.models.install import comment_on, create_shape, create_table, output_columns
from ttapi.sqltext import literal
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttapi.models.graph import ModelGraph
    from ttapi.models.header import HeaderCheck
    from ttapi.models.model import CheckModel, Model
    from ttapi.store.engine import Connection


# 600 symbols of ten years are 1.5 M bars: a builder's frames stay under 0.5 GB.
_KEYS_A_CHUNK = 600
_KEYS_TOLD = 5_000
"""Beyond which a table counts as changed altogether."""
_KEYS_VARIABLE = "rebuilt_keys"
"""Holds the keys that are being rebuilt, for models that say `getvariable('rebuilt_keys')`; null: all."""
_NEW = "rebuilt_rows"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did."""

    version: str
    """Hash of the table's content."""
    rows: int
    is_changed: bool
    changed_keys: tuple[str, ...] | None
    """Values of the model's key whose rows changed; None: not tracked, or all."""


def rebuild_table(
    cursor: Connection, model: Model, *, keys: Sequence[str] | None, version: str = ""
) -> Rebuilt:
    """Rebuild `model` for `keys` of its incremental column, or wholly when `keys` is None.

    `version` is that of the table as it stands, if it was built before. *Raises* ModelError when
    its SQL or builder fails.
    """
    try:
        with engine_errors():
            return _rebuild(cursor, model, keys, version)
    except QueryError as exc:
        raise ModelError(
            exc.message.splitlines()[0], file=model.file, line=model.body_line
        ) from exc


def content_version(cursor: Connection, relation: str) -> tuple[str, int]:
    """Order-independent hash and row count of a relation."""
    ((rows, total),) = cursor.execute(
        f"select count(*), coalesce(sum(hash(r)::hugeint), 0) from {relation} as r"
    ).fetchall()
    cursor.execute("select 1").fetchall()
    return _version(rows, total), rows


def _version(rows: int, total: int) -> str:
    return f"{rows:x}-{total:x}"


def _rebuild(cursor: Connection, model: Model, keys: Sequence[str] | None, version: str) -> Rebuilt:
    create_shape(cursor, f"temp table {_NEW}", output_columns(cursor, f"({model.body})"))
    is_keyed = model.incremental is not None and bool(version)
    if keys is None or not is_keyed:
        _fill_whole(cursor, model)
    else:
        _fill_keys(cursor, model, sorted(set(keys)))
    has_shape = output_columns(cursor, f"select * from {model.qualified}") == output_columns(
        cursor, f"select * from {_NEW}"
    )
    if is_keyed and has_shape:
        rebuilt = _swap_keys(cursor, model, keys, version)
    else:
        rebuilt = _swap_whole(cursor, model, has_shape=has_shape)
    cursor.execute(f"drop table {_NEW}")
    return rebuilt


def _fill_whole(cursor: Connection, model: Model) -> None:
    if model.keys is not None:
        key = model.incremental
        rows = cursor.execute(
            f"select distinct k.{key} from {model.keys} as k order by 1"
        ).fetchall()
        _fill_keys(cursor, model, [row[0] for row in rows])
        return
    if model.builder is None:
        cursor.execute(f"insert into {_NEW} select * from ({model.body}) as q")
        return
    module = importlib.import_module(model.builder)
    if model.incremental is None:
        _insert_built(cursor, model, {name: f"({sql})" for name, sql in module.INPUTS.items()})
        return
    every = [row[0] for row in cursor.execute(f"{module.KEYS} order by 1").fetchall()]
    _fill_keys(cursor, model, every)


def _fill_keys(cursor: Connection, model: Model, keys: Sequence[str]) -> None:
    for chunk in _chunks(keys):
        condition = _key_condition(model, chunk)
        if model.builder is None:
            # A condition does not reach through every join: a model may read the keys itself.
            listed = ", ".join(literal(key) for key in chunk)
            cursor.execute(f"set variable {_KEYS_VARIABLE} = [{listed}]")
            cursor.execute(
                f"insert into {_NEW} select * from ({model.body}) as q where {condition}"
            )
            cursor.execute(f"reset variable {_KEYS_VARIABLE}")
            continue
        module = importlib.import_module(model.builder)
        inputs = {}
        for name, sql in module.INPUTS.items():
            is_keyed = model.incremental in output_columns(cursor, f"({sql})")
            inputs[name] = f"({sql}) as q where {condition}" if is_keyed else f"({sql})"
        _insert_built(cursor, model, inputs)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_A_CHUNK):
        yield keys[start : start + _KEYS_A_CHUNK]


def _key_condition(model: Model, chunk: Sequence[str]) -> str:
    """A list reaches the scan through windows, where a join would not."""
    values = ", ".join(literal(key) for key in chunk)
    column = f'q."{model.incremental}"'
    return f"{column} >= {literal(chunk[0])} and {column} <= {literal(chunk[-1])} and {column} in ({values})"


def _insert_built(cursor: Connection, model: Model, inputs: dict[str, str]) -> None:
    import polars as pl  # noqa: PLC0415 - 0.2 s that a command without a builder does not pay

    assert model.builder is not None
    module = importlib.import_module(model.builder)
    frames: dict[str, pl.DataFrame] = {}
    for name, relation in inputs.items():
        table = cursor.sql(f"select * from {relation}").to_arrow_table()
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        frames[name] = frame
    built = module.build(frames).to_arrow()
    columns = output_columns(cursor, f"select * from {_NEW}")
    if missing := set(columns) - set(built.column_names):
        raise ModelError(
            f"builder {model.builder} gave no {', '.join(sorted(missing))}", file=model.file
        )
    names = ", ".join(f'"{name}"' for name in columns)
    cursor.register("built_rows", built)
    cursor.execute(f"insert into {_NEW} ({names}) select {names} from built_rows")
    cursor.unregister("built_rows")


def _swap_whole(cursor: Connection, model: Model, *, has_shape: bool) -> Rebuilt:
    version, rows = content_version(cursor, _NEW)
    if has_shape and content_version(cursor, model.qualified)[0] == version:
        return Rebuilt(version, rows, is_changed=False, changed_keys=None)
    if not has_shape:
        create_table(cursor, model)
        comment_on(cursor, model)
    cursor.execute(f"delete from {model.qualified}")
    cursor.execute(f"insert into {model.qualified} select * from {_NEW}")
    return Rebuilt(version, rows, is_changed=True, changed_keys=None)


def _swap_keys(
    cursor: Connection, model: Model, keys: Sequence[str] | None, version: str
) -> Rebuilt:
    """Replace the rows of those keys, or of any when `keys` is None, whose content differs.

    The version is a sum over rows, so it follows from the old one and what was replaced.
    """
    rows, total = (int(part, 16) for part in version.split("-"))
    changed, more_rows, more = _differences(cursor, model, keys)
    if None in changed:
        return _swap_whole(cursor, model, has_shape=True)
    if changed:
        key = f'"{model.incremental}"'
        _name_keys(cursor, changed)
        cursor.execute(
            f"delete from {model.qualified} where {key} in (select key from rebuilt_keys)"
        )
        cursor.execute(
            f"insert into {model.qualified} select * from {_NEW} where {key} in (select key from rebuilt_keys)"
        )
        cursor.execute("drop table rebuilt_keys")
    rows, total = rows + more_rows, total + more
    is_many = len(changed) > _KEYS_TOLD
    told = None if is_many else changed
    return Rebuilt(_version(rows, total), rows, is_changed=bool(changed), changed_keys=told)


def _differences(
    cursor: Connection, model: Model, keys: Sequence[str] | None
) -> tuple[tuple[str, ...], int, int]:
    """Keys whose rows differ between the table and what was made anew; rows and hashes added to it."""
    key = f'"{model.incremental}"'
    signature = f"select r.{key} as key, count(*) as n, sum(hash(r)::hugeint) as h"
    concerned = ""
    if keys is not None:
        _name_keys(cursor, sorted(set(keys)))
        concerned = f"where r.{key} in (select key from rebuilt_keys)"
    found = cursor.execute(
        f"""
        with old_rows as (
            {signature} from {model.qualified} as r {concerned} group by 1
        ), new_rows as ({signature} from {_NEW} as r group by 1)
        select
            coalesce(o.key, n.key),
            coalesce(n.n, 0) - coalesce(o.n, 0),
            coalesce(n.h, 0) - coalesce(o.h, 0)
        from old_rows as o full join new_rows as n on o.key = n.key
        where o.n is distinct from n.n or o.h is distinct from n.h order by 1
        """
    ).fetchall()
    if keys is not None:
        cursor.execute("drop table rebuilt_keys")
    changed = tuple(row[0] for row in found)
    return changed, sum(row[1] for row in found), sum(row[2] for row in found)


def _name_keys(cursor: Connection, keys: Sequence[str]) -> None:
    cursor.execute("create or replace temp table rebuilt_keys (key varchar)")
    for chunk in _chunks(keys):
        cursor.execute(
            f"insert into rebuilt_keys values {', '.join(f'({literal(k)})' for k in chunk)}"
        )


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
