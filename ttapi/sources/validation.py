# SPDX-License-Identifier: Apache-2.0
"""Whether a plugin declares what the contract asks for.

Whether what a source yields is what the contract says: looked at by batch, not by row.

The runner holds every source to it while it fetches; the conformance kit asks the same and more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa

from ttapi.errors import SourceError
from ttapi.sources.contract import Batch, Column, ColumnType, LoadMode, Resource, Source, UnitReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ttapi.sources.contract import UnitRequest

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
_DURATION = r"\d+(\.\d+)?\s*[smhdw]"
_TTL = re.compile(
    rf"{_DURATION}|\d+\s*sessions?|next close(\s*\+\s*{_DURATION})?", re.ASCII | re.IGNORECASE
)
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
    if not isinstance(resource.ttl, str) or not _TTL.fullmatch(resource.ttl.strip()):
        yield f"ttl {resource.ttl!r} is no duration (1d, 5m) and no market time (next close + 45m)"


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


_OWN_COLUMNS = {"unit": "INTEGER", "line": "INTEGER", "known_at": "TIMESTAMP"}
_REJECT_COLUMNS = {"unit": "INTEGER", "line": "INTEGER", "reason": "VARCHAR", "text": "VARCHAR"}
_NAMED = 3


def conforming(
    resource: Resource, requests: Sequence[UnitRequest], batches: Iterable[Batch]
) -> Iterator[Batch]:
    """`batches` as they come.

    *Raises* SourceError for the first that is not what `resource` declares, for a unit that was not
    asked for or comes twice, and at the end for units nothing was said of.
    """
    missing = dict.fromkeys(request.unit.key for request in requests)
    for batch in batches:
        problem = next(batch_problems(resource, batch), None)
        if problem is not None:
            raise SourceError(f"{resource.table}: {problem}", hint="ttapi sources --validate")
        for report in batch.units:
            if report.unit.key not in missing:
                asked = any(request.unit.key == report.unit.key for request in requests)
                what = "a second time" if asked else "and was not asked for"
                raise SourceError(f"{resource.table}: unit {report.unit.key!r} is reported {what}")
            del missing[report.unit.key]
        yield batch
    if missing:
        named = ", ".join(list(missing)[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise SourceError(
            f"{resource.table}: nothing was reported of {len(missing)} of {len(requests)} units: {named}",
            hint="one report a request, with error where a unit failed",
        )


def batch_problems(resource: Resource, batch: object) -> Iterator[str]:
    """What in `batch` is not as the contract and `resource` have it, a sentence each."""
    if not isinstance(batch, Batch):
        yield f"fetch yielded {_kind(batch)}, not a Batch"
        return
    reports: object = batch.units
    if not isinstance(reports, tuple) or not all(isinstance(r, UnitReport) for r in reports):
        yield "units of a Batch is no tuple of UnitReport"
        return
    declared = {column.name: str(column.type) for column in resource.columns}
    yield from _table_problems("rows", batch.rows, {**declared, **_OWN_COLUMNS})
    yield from _table_problems("rejects", batch.rejects, _REJECT_COLUMNS)


def _table_problems(what: str, table: Any, columns: dict[str, str]) -> Iterator[str]:
    if table is None:
        return
    if not isinstance(table, pa.Table):
        yield f"{what} is {_kind(table)}, not an Arrow table"
        return
    for name, declared in columns.items():
        count = table.column_names.count(name)
        if count != 1:
            yield f"{what} has {count or 'no'} column{'s' if count > 1 else ''} {name!r}"
            continue
        found = table.schema.field(name).type
        if not _fits(found, declared):
            yield f"{what}: column {name!r} is declared {declared} and came as {found}"


def _fits(found: pa.DataType, declared: str) -> bool:
    if pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_timestamp(found):
        return declared == "TIMESTAMP" and found.tz is None
    return any(fits(found) for fits in _TYPES[declared])


_TYPES: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "VARCHAR": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    "DOUBLE": (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal),
    "DECIMAL(20,6)": (pa.types.is_decimal, pa.types.is_integer),
    "DATE": (pa.types.is_date,),
    "BIGINT": (pa.types.is_integer,),
    "INTEGER": (pa.types.is_integer,),
    "BOOLEAN": (pa.types.is_boolean,),
    "TIMESTAMP": (),
}


def _kind(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "nothing"
