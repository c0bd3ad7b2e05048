# SPDX-License-Identifier: Apache-2.0
"""Documents of one answer into the rows of one unit: good ones, refused ones, a hash of the content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.sources.conformity import ARROW_TYPES
from ttapi.sources.contract import Batch, UnitReport
from ttapi.sources.text_files import REJECT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.sources.contract import Resource, UnitRequest
    from ttapi.sources.tastytrade.fields import Content, Document


@dataclass(frozen=True)
class ReadUnit:
    """One unit as it will be loaded, in a tenth of the memory its documents take."""

    report: UnitReport
    rows: pa.Table | None = None
    """Without the column `unit`; None: none, or as they were."""
    rejects: tuple[tuple[str, str], ...] = ()
    """Reason and text of each refused row."""


def read_unit(
    resource: Resource, request: UnitRequest, content: Content | str, *, is_absent: bool = False
) -> ReadUnit:
    """What `content` holds of the unit asked for; a text stands for why the unit failed."""
    if isinstance(content, str):
        return ReadUnit(UnitReport(request.unit, error=content, is_absent=is_absent))
    report = _report(resource, request, content)
    rows = None if report.is_unchanged or not content.rows else _table(resource, content.rows)
    return ReadUnit(report, rows, tuple(content.rejects))


def batch_of(units: Sequence[ReadUnit]) -> Batch:
    """One batch of several units."""
    tables = [
        one.rows.append_column("unit", pa.repeat(pa.scalar(place, pa.int32()), one.rows.num_rows))
        for place, one in enumerate(units)
        if one.rows is not None
    ]
    rejects = [(place, *reject) for place, one in enumerate(units) for reject in one.rejects]
    reports = tuple(one.report for one in units)
    return Batch(reports, pa.concat_tables(tables) if tables else None, _rejects(rejects))


def _report(resource: Resource, request: UnitRequest, content: Content) -> UnitReport:
    digest = _hash(content)
    facts = {tuple(row.get(name) for name in resource.grain) for row in content.rows}
    days = [row[resource.time_column] for row in content.rows] if resource.time_column else []
    return UnitReport(
        request.unit,
        digest,
        rows_in=len(content.rows) + len(content.rejects),
        rows_accepted=len(content.rows),
        rows_refused=len(content.rejects),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
        is_unchanged=request.known_hash == digest,
        has_duplicates=len(facts) < len(content.rows),
        notes=tuple(content.notes),
    )


def _hash(content: Content) -> str:
    """Of what was read: the order in which the vendor lists things says nothing."""
    lines = sorted(repr(tuple(row.values())) for row in content.rows)
    lines += sorted(repr(reject) for reject in content.rejects)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _table(resource: Resource, rows: Sequence[Document]) -> pa.Table:
    data = {
        column.name: pa.array([row.get(column.name) for row in rows], ARROW_TYPES[column.type])
        for column in resource.columns
    }
    data["line"] = pa.nulls(len(rows), pa.int32())
    data["known_at"] = pa.array([row.get("known_at") for row in rows], pa.timestamp("us"))
    return pa.table(data)


def _rejects(rejects: Sequence[tuple[int, str, str]]) -> pa.Table | None:
    if not rejects:
        return None
    places, reasons, texts = zip(*rejects, strict=True)
    values = [places, [None] * len(rejects), reasons, texts]
    return pa.table(
        {
            field.name: pa.array(column, field.type)
            for field, column in zip(REJECT_SCHEMA, values, strict=True)
        }
    )
