# SPDX-License-Identifier: Apache-2.0
"""Whether what a source yields is what the contract says: looked at by batch, not by row.

The runner holds every source to it while it fetches; the conformance kit asks the same and more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ttapi.errors import SourceError
from ttapi.sources.contract import Batch, Resource, UnitReport
from ttapi.sources.validation import kind_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ttapi.sources.contract import UnitRequest


_OWN_COLUMNS = {"unit": "INTEGER", "line": "INTEGER", "known_at": "TIMESTAMP"}
_REJECT_COLUMNS = {"unit": "INTEGER", "line": "INTEGER", "reason": "VARCHAR", "text": "VARCHAR"}
_NAMED = 3


ARROW_TYPES: Mapping[str, pa.DataType] = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "DECIMAL(20,6)": pa.decimal128(20, 6),
    "DATE": pa.date32(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
}
"""By a declared column's type what a source that makes its own rows gives."""


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
        yield f"fetch yielded {kind_text(batch)}, not a Batch"
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
        yield f"{what} is {kind_text(table)}, not an Arrow table"
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
