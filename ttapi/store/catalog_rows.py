# SPDX-License-Identifier: Apache-2.0
"""The rows of the catalog's tables as values: one dataclass a table, its fields the columns in order.

Statements are made from them, so that a column is named once here and once in its migration.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ttapi.clock import stored_instant, utc_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.store.engine import Connection


class CatalogRow:
    """A row of a catalog table: one field a column, instants zone-aware UTC."""

    table: ClassVar[str]


Row = TypeVar("Row", bound=CatalogRow)


@dataclass(frozen=True)
class DatasetRow(CatalogRow):
    """One declared dataset."""

    table: ClassVar[str] = "datasets"
    dataset: str
    kind: str
    source: str | None
    about: str | None
    grain: str | None
    keys: str | None
    time_column: str | None
    ttl: str | None
    revise: str | None
    max_stale: str | None
    max_stale_on_error: str | None
    checks: str | None
    requires: str | None
    is_local: bool
    is_private: bool


@dataclass(frozen=True)
class DependencyRow(CatalogRow):
    """That one dataset reads another."""

    table: ClassVar[str] = "dependencies"
    dataset: str
    upstream: str


@dataclass(frozen=True)
class StateRow(CatalogRow):
    """Where one dataset stands."""

    table: ClassVar[str] = "state"
    dataset: str
    version: str | None
    fingerprint: str | None
    load_id: int | None
    changed_at: datetime | None
    asked_at: datetime | None
    rows: int | None
    upstream_versions: str | None
    """JSON."""
    error: str | None
    failed_at: datetime | None


@dataclass(frozen=True)
class SliceRow(CatalogRow):
    """One slice that was asked for alone."""

    table: ClassVar[str] = "slices"
    dataset: str
    key: str
    covered_from: date | None
    covered_to: date | None
    asked_at: datetime
    load_id: int


@dataclass(frozen=True)
class DecisionRow(CatalogRow):
    """What one refresh decided about one dataset, and what came of it."""

    table: ClassVar[str] = "decisions"
    load_id: int
    dataset: str
    verdict: str
    reasons: str
    """JSON."""
    decided_at: datetime
    rows_in: int
    rows_accepted: int
    rows_refused: int
    source_calls: int
    seconds: float
    error: str | None


@dataclass(frozen=True)
class CheckRow(CatalogRow):
    """The latest outcome of one check."""

    table: ClassVar[str] = "checks"
    dataset: str
    check_name: str
    failures: int
    sample: str | None
    load_id: int
    checked_at: datetime


@dataclass(frozen=True)
class NoteRow(CatalogRow):
    """An oddity that a person should hear of."""

    table: ClassVar[str] = "notes"
    dataset: str
    unit: str | None
    code: str
    detail: str
    load_id: int
    noted_at: datetime


@dataclass(frozen=True)
class ChangedKeyRow(CatalogRow):
    """A key value that a load or a rebuild changed."""

    table: ClassVar[str] = "changed_keys"
    load_id: int
    dataset: str
    key: str | None
    """None: all of them."""


@dataclass(frozen=True)
class FreshnessRow(CatalogRow):
    """What `status` said of one dataset when the last refresh ended."""

    table: ClassVar[str] = "freshness"
    dataset: str
    kind: str
    verdict: str
    reasons: str | None
    root_asked_at: datetime | None
    last_load_at: datetime | None
    due_at: datetime | None
    rows: int | None
    error: str | None


@dataclass(frozen=True)
class UnitVersionRow(CatalogRow):
    """One content version of a unit that was loaded."""

    table: ClassVar[str] = "unit_versions"
    unit_id: int
    dataset: str
    key: str
    content_hash: str | None
    size: int | None
    rows_in: int
    rows_accepted: int
    rows_refused: int
    rows_added: int
    rows_replaced: int
    load_id: int
    loaded_at: datetime
    last_date: date | None
    """What the ledger said from this version on: it decides between units of one grain."""


@dataclass(frozen=True)
class LineageRow(CatalogRow):
    """A column, and one that it is made from."""

    table: ClassVar[str] = "lineage"
    relation: str
    column_name: str
    upstream_relation: str | None
    """None: made from no column at all, or `expression` says why it could not be traced."""
    upstream_column: str | None
    """None beside a relation: its rows are counted, no column is read."""
    expression: str | None


@dataclass(frozen=True)
class MetaRow(CatalogRow):
    """A fact about the file itself."""

    table: ClassVar[str] = "meta"
    name: str
    value: str


ROW_TYPES: tuple[type[CatalogRow], ...] = (
    DatasetRow,
    DependencyRow,
    StateRow,
    SliceRow,
    DecisionRow,
    CheckRow,
    NoteRow,
    ChangedKeyRow,
    FreshnessRow,
    UnitVersionRow,
    LineageRow,
    MetaRow,
)
_ENGINE_TYPES = {
    "str": "varchar",
    "int": "bigint",
    "float": "double",
    "bool": "boolean",
    "date": "date",
    "datetime": "timestamp",
}
"""By the name of a field's type, without what says that it may be null."""


def columns_of(row_type: type[Any]) -> dict[str, str]:
    """The engine's type by column of a catalog table, in order."""
    return {one.name: _ENGINE_TYPES[str(one.type).partition(" ")[0]] for one in fields(row_type)}


def insert_rows(cursor: Connection, rows: Sequence[CatalogRow]) -> None:
    """Add `rows`, all of one table, in one statement."""
    if not rows:
        return
    columns = columns_of(type(rows[0]))
    values = [[_stored(getattr(row, name)) for row in rows] for name in columns]
    insert_values(cursor, rows[0].table, columns, values)


def insert_values(
    cursor: Connection, table: str, columns: Mapping[str, str], values: Sequence[Sequence[Any]]
) -> None:
    """Add rows to a catalog table in one statement; `values`: of each of `columns`, as they are stored.

    Not as an Arrow table: making one of Python's values imports pandas where it is installed.
    """
    listed = ", ".join(f"unnest(?::{data_type}[])" for data_type in columns.values())
    cursor.execute(f"insert into catalog.{table} ({', '.join(columns)}) select {listed}", values)


def read_rows_of(
    cursor: Connection, row_type: type[Row], where: str = "true", parameters: Sequence[Any] = ()
) -> list[Row]:
    """The rows of a catalog table for which `where` holds."""
    names = ", ".join(columns_of(row_type))
    found = cursor.execute(
        f"select {names} from catalog.{row_type.table} where {where} order by all", list(parameters)
    ).fetchall()
    return [row_type(*(_read(value) for value in row)) for row in found]


def _stored(value: Any) -> Any:
    return stored_instant(value) if isinstance(value, datetime) else value


def _read(value: Any) -> Any:
    return utc_instant(value) if isinstance(value, datetime) else value
