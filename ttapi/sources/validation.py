# SPDX-License-Identifier: Apache-2.0
"""Whether a plugin declares what the contract asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from ttapi.errors import UsageError
from ttapi.market.calendar import parse_duration, parse_ttl
from ttapi.sources.contract import (
    Column,
    ColumnType,
    LoadMode,
    Resource,
    Source,
    Storage,
    StreamSource,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


RESERVED_COLUMNS = frozenset(
    {
        "unit",
        "unit_id",
        "line",
        "known_at",
        "load_id",
        "loaded_at",
        "replaced_at",
        "is_current",
        "replaced_by",
    }
)
"""Column names that are the store's."""
RESERVED_TABLES = frozenset({"rejects"})
"""Tables of the raw layer that no resource fills."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_METHODS = ("missing_setting", "survey", "fetch")


def check_declaration(source: object) -> list[str]:
    """What is wrong with a source, one sentence a problem; empty when nothing is."""
    missing = [name for name in _expected_members() if not hasattr(source, name)]
    if missing:
        return [f"lacks {', '.join(missing)}"]
    return list(_problems(source))


def _expected_members() -> list[str]:
    return [*Source.__annotations__, *_METHODS]


def _problems(source: Any) -> Iterator[str]:
    if not _is_identifier(source.name):
        yield f"name {source.name!r} is no plain lower-case identifier"
    for field in ("about", "version"):
        if not isinstance(getattr(source, field), str) or not getattr(source, field):
            yield f"{field} is no text"
    yield from (f"{name} is no method" for name in _METHODS if not callable(getattr(source, name)))
    if not _is_tuple_of(source.setting_names, str):
        yield "setting_names is no tuple of texts"
    if not _is_tuple_of(source.resources, Resource) or not source.resources:
        yield "resources is no tuple of at least one Resource"
        return
    tables = [resource.table for resource in source.resources]
    yield from (f"table {table!r} is declared twice" for table in _repeated(tables))
    names = [resource.name for resource in source.resources]
    yield from (f"resource {name!r} is declared twice" for name in _repeated(names))
    for resource in source.resources:
        yield from (f"resource {resource.name}: {text}" for text in _resource_problems(resource))
        if resource.storage == "log" and not isinstance(source, StreamSource):
            yield f"resource {resource.name}: a log is filled by a stream, and there is no method stream"


def _resource_problems(resource: Resource) -> Iterator[str]:
    yield from (
        f"{text!r} is no plain lower-case identifier"
        for text in (resource.name, resource.table)
        if not _is_identifier(text)
    )
    if resource.table in RESERVED_TABLES:
        yield f"table {resource.table!r} is the store's"
    if not _is_tuple_of(resource.columns, Column) or not resource.columns:
        yield "columns is no tuple of at least one Column"
        return
    yield from _column_problems(resource.columns)
    names = {column.name for column in resource.columns}
    if not resource.grain and resource.mode != "append":
        yield "grain is empty: nothing says what one fact is"
    for field in ("grain", "keys"):
        unknown = [name for name in getattr(resource, field) if name not in names]
        yield from (f"{field} names {name!r}, which is no declared column" for name in unknown)
    if resource.time_column is not None and resource.time_column not in names:
        yield f"time_column {resource.time_column!r} is no declared column"
    if resource.tracked is not None and resource.tracked not in names:
        yield f"tracked {resource.tracked!r} is no declared column"
    if resource.mode not in get_args(LoadMode):
        yield f"mode {resource.mode!r} is none of {', '.join(get_args(LoadMode))}"
    yield from _time_problems(resource)
    if resource.storage not in get_args(Storage):
        yield f"storage {resource.storage!r} is none of {', '.join(get_args(Storage))}"
    if resource.storage == "log":
        yield from _log_problems(resource)


def _log_problems(resource: Resource) -> Iterator[str]:
    types = {column.name: column.type for column in resource.columns}
    for name, data_type in (("received_at", "TIMESTAMP"), ("arrival", "BIGINT")):
        if types.get(name) != data_type:
            yield f"a log declares {name} {data_type}, which says when, and as which, an event arrived"
    unknown = [name for name in resource.conflates_by if name not in types]
    yield from (f"conflates_by names {name!r}, which is no declared column" for name in unknown)


def _time_problems(resource: Resource) -> Iterator[str]:
    if not _is_time(resource.ttl, parse_ttl):
        yield f"ttl {resource.ttl!r} is no duration (1d, 5m) and no market time (next close + 45m)"
    for field, parse in (
        ("max_stale", parse_ttl),
        ("max_stale_on_error", parse_ttl),
        ("revise", parse_duration),
    ):
        value = getattr(resource, field)
        if value is not None and not _is_time(value, parse):
            yield f"{field} {value!r} is no duration (1d, 5m)"


def _column_problems(columns: tuple[Column, ...]) -> Iterator[str]:
    names = [column.name for column in columns]
    yield from (f"column {name!r} is declared twice" for name in _repeated(names))
    for column in columns:
        if not _is_identifier(column.name):
            yield f"column {column.name!r} is no plain lower-case identifier"
        elif column.name in RESERVED_COLUMNS:
            yield f"column {column.name!r} is the store's own; name it otherwise"
        if column.type not in get_args(ColumnType):
            known = ", ".join(get_args(ColumnType))
            yield f"column {column.name!r}: type {column.type!r} is none of {known}"


def _is_identifier(text: object) -> bool:
    return isinstance(text, str) and _IDENTIFIER.fullmatch(text) is not None


def _is_tuple_of(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


def _repeated(texts: list[str]) -> list[str]:
    return sorted({text for text in texts if texts.count(text) > 1})


def _is_time(text: object, parse: Callable[[str], object]) -> bool:
    """Whether `text` is one that `parse` takes."""
    if not isinstance(text, str):
        return False
    try:
        parse(text)
    except UsageError:
        return False
    return True


def kind_text(value: object) -> str:
    """What a plugin gave instead, in words: `nothing`, `a str`."""
    return "nothing" if value is None else f"a {type(value).__name__}"
