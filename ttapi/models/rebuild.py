# SPDX-License-Identifier: Apache-2.0
"""A stored table brought up to date: whole, or only the keys whose inputs changed.

The new content is made beside the old one and compared; an equal table is left alone, so nothing
downstream is rebuilt (early cutoff). All of it happens in the caller's transaction.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError, QueryError
from ttapi.models.build import (
    comment_on,
    create_shape,
    create_table,
    output_columns,
    quoted,
)
from ttapi.store.engine import engine_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttapi.models.model import Model

# 600 symbols of ten years are 1.5 M bars: a builder's frames stay under 0.5 GB.
_KEYS_A_CHUNK = 600
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
    cursor: Any,
    model: Model,
    *,
    keys: Sequence[str] | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rebuilt:
    """Rebuild `model` for `keys` of its incremental column, or wholly when `keys` is None.

    *Raises* ModelError when its SQL or builder fails.
    """
    try:
        with engine_errors():
            return _rebuild(cursor, model, keys, on_progress or _no_progress)
    except QueryError as exc:
        raise ModelError(
            exc.message.splitlines()[0], file=model.file, line=model.body_line
        ) from exc


def content_version(cursor: Any, relation: str) -> tuple[str, int]:
    """Order-independent hash and row count of a relation."""
    rows, total = cursor.execute(
        f"select count(*), coalesce(sum(hash(r)::hugeint), 0) from {relation} as r"
    ).fetchone()
    cursor.execute("select 1").fetchall()
    return f"{rows:x}-{total:x}", rows


def _rebuild(
    cursor: Any, model: Model, keys: Sequence[str] | None, on_progress: Callable[[int, int], None]
) -> Rebuilt:
    create_shape(cursor, f"temp table {_NEW}", model.body)
    is_whole = keys is None or model.incremental is None
    if is_whole:
        _fill_whole(cursor, model, on_progress)
        changed = _swap_whole(cursor, model)
        changed_keys = None
    else:
        assert keys is not None
        _fill_keys(cursor, model, sorted(set(keys)), on_progress)
        changed_keys = _swap_keys(cursor, model, sorted(set(keys)))
        changed = bool(changed_keys)
    cursor.execute(f"drop table {_NEW}")
    version, rows = content_version(cursor, model.qualified)
    return Rebuilt(version, rows, changed, changed_keys)


def _fill_whole(cursor: Any, model: Model, on_progress: Callable[[int, int], None]) -> None:
    if model.builder is None:
        cursor.execute(f"insert into {_NEW} select * from ({model.body}) as q")
        return
    module = importlib.import_module(model.builder)
    if model.incremental is None:
        _insert_built(cursor, model, {name: f"({sql})" for name, sql in module.INPUTS.items()})
        return
    every = [row[0] for row in cursor.execute(f"{module.KEYS} order by 1").fetchall()]
    _fill_keys(cursor, model, every, on_progress)


def _fill_keys(
    cursor: Any, model: Model, keys: Sequence[str], on_progress: Callable[[int, int], None]
) -> None:
    for start, chunk in _chunks(keys):
        on_progress(start, len(keys))
        condition = _key_condition(model, chunk)
        if model.builder is None:
            cursor.execute(
                f"insert into {_NEW} select * from ({model.body}) as q where {condition}"
            )
            continue
        module = importlib.import_module(model.builder)
        inputs = {}
        for name, sql in module.INPUTS.items():
            is_keyed = model.incremental in output_columns(cursor, f"({sql})")
            inputs[name] = f"({sql}) as q where {condition}" if is_keyed else f"({sql})"
        _insert_built(cursor, model, inputs)


def _chunks(keys: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for start in range(0, len(keys), _KEYS_A_CHUNK):
        yield start, keys[start : start + _KEYS_A_CHUNK]


def _key_condition(model: Model, chunk: Sequence[str]) -> str:
    """A list reaches the scan through windows, where a join would not."""
    values = ", ".join(quoted(key) for key in chunk)
    column = f'q."{model.incremental}"'
    return f"{column} >= {quoted(chunk[0])} and {column} <= {quoted(chunk[-1])} and {column} in ({values})"


def _insert_built(cursor: Any, model: Model, inputs: dict[str, str]) -> None:
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


def _swap_whole(cursor: Any, model: Model) -> bool:
    has_shape = output_columns(cursor, f"select * from {model.qualified}") == output_columns(
        cursor, f"select * from {_NEW}"
    )
    if has_shape and content_version(cursor, model.qualified) == content_version(cursor, _NEW):
        return False
    if not has_shape:
        create_table(cursor, model)
        comment_on(cursor, model)
    cursor.execute(f"delete from {model.qualified}")
    cursor.execute(f"insert into {model.qualified} select * from {_NEW}")
    return True


def _swap_keys(cursor: Any, model: Model, keys: Sequence[str]) -> tuple[str, ...]:
    key = f'"{model.incremental}"'
    cursor.execute("create or replace temp table rebuilt_keys (key varchar)")
    for _, chunk in _chunks(keys):
        cursor.execute(
            f"insert into rebuilt_keys values {', '.join(f'({quoted(k)})' for k in chunk)}"
        )
    signature = f"select r.{key} as key, count(*) as n, sum(hash(r)::hugeint) as h"
    changed = [
        row[0]
        for row in cursor.execute(
            f"""
            with old_rows as (
                {signature} from {model.qualified} as r
                where r.{key} in (select key from rebuilt_keys) group by 1
            ), new_rows as ({signature} from {_NEW} as r group by 1)
            select coalesce(o.key, n.key) from old_rows as o full join new_rows as n on o.key = n.key
            where o.n is distinct from n.n or o.h is distinct from n.h order by 1
            """
        ).fetchall()
    ]
    if changed:
        cursor.execute("create or replace temp table rebuilt_keys (key varchar)")
        for _, chunk in _chunks(changed):
            cursor.execute(
                f"insert into rebuilt_keys values {', '.join(f'({quoted(k)})' for k in chunk)}"
            )
        cursor.execute(
            f"delete from {model.qualified} where {key} in (select key from rebuilt_keys)"
        )
        cursor.execute(
            f"insert into {model.qualified} select * from {_NEW} where {key} in (select key from rebuilt_keys)"
        )
    cursor.execute("drop table rebuilt_keys")
    return tuple(changed)


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""
