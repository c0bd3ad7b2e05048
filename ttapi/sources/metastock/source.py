# SPDX-License-Identifier: Apache-2.0
"""The source `metastock`: a folder tree or zip archive of MetaStock ASCII files.

What reads the files is imported when files are read, so `status` can list resources in no time.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ttapi.errors import UsageError
from ttapi.sources.contract import (
    Batch,
    Column,
    Resource,
    SourceContext,
    Unit,
    UnitReport,
    UnitRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.sources.folder import ReadBytes, Tree

PriceBasis = Literal["raw", "split", "total"]
SUFFIXES = (".csv", ".txt", ".asc")
"""Endings of the files that are read, in any case."""
DEFAULT_SUFFIX = ".US"
"""What Stooq appends to the tickers of US markets."""

BARS = Resource(
    name="bars",
    table="metastock_bars",
    about="Bars as MetaStock ASCII files say them.",
    columns=(
        Column("symbol", "VARCHAR", "the ticker in upper case, / as ., known suffix dropped"),
        Column("date", "DATE", "session date in the exchange's time"),
        Column("open", "DOUBLE", "price per share; null: none or no number"),
        Column("high", "DOUBLE", "price per share; null: none or no number"),
        Column("low", "DOUBLE", "price per share; null: none or no number"),
        Column("close", "DOUBLE", "price per share, above 0"),
        Column("volume", "DOUBLE", "shares or contracts as given; null: unknown"),
        Column("open_interest", "DOUBLE", "contracts; null: unknown"),
        Column("ticker", "VARCHAR", "the vendor's text; null: the file has none"),
        Column("per", "VARCHAR", "period: D day, W week, M month, or minutes"),
        Column("time", "VARCHAR", "HHMM or HHMMSS in the vendor's time; null: none"),
        Column("source", "VARCHAR", "where the bar comes from: metastock, or the setting `label`"),
    ),
    grain=("symbol", "per", "date", "time"),
    keys=("symbol",),
    time_column="date",
    is_local=True,
)
BASIS = Resource(
    name="basis",
    table="price_basis",
    about="Which corporate actions the prices of a source already contain.",
    columns=(
        Column("source", "VARCHAR", "source the row is about"),
        Column("price_basis", "VARCHAR", "raw: none; split: splits; total: splits and dividends"),
    ),
    grain=("source",),
    is_local=True,
    is_timeless=True,
)


class MetastockSource:
    """Reads every *.csv, *.txt and *.asc below `path`, each file a unit named by its path.

    Settings: `path` a folder or .zip file; `price_basis` raw, split or total (default raw);
    `pattern` a glob the path below the root must match (`*` also matches `/`); `strip_suffix`
    endings dropped from symbols, with commas between (default `.US`; empty: none); `label` what
    the bars call their source (default metastock; an invented market says synthetic).
    """

    name = "metastock"
    about = "MetaStock ASCII files in a folder tree or a zip archive"
    version = "1"
    resources: tuple[Resource, ...] = (BARS, BASIS)
    setting_names = ("path", "price_basis", "pattern", "strip_suffix", "label")
    sql_folder: Path | None = None

    def __init__(self, read: ReadBytes | None = None) -> None:
        self._read = read

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:  # noqa: ARG002 - same for all
        """`path` where it is not set."""
        return None if context.settings.get("path", "").strip() else "path"

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:
        """The files that exist now, sorted; one unit for the basis.

        *Raises* UsageError for a missing or unreadable folder, a damaged archive, a wrong setting.
        """
        _price_basis(context)
        if resource.name == BASIS.name:
            # A setting has no time of change: a number of its content shows a change in a listing.
            return [Unit(self.name, mtime_ns=get_args(PriceBasis).index(_price_basis(context)))]
        tree = self._tree(context)
        try:
            return tree.units()
        finally:
            tree.close()

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """Batches of whole files, one report for every request."""
        if resource.name == BASIS.name:
            yield from (_basis(request, _price_basis(context)) for request in requests)
            return
        from ttapi.sources.metastock.load import load_batches  # noqa: PLC0415 - brings Polars

        tree = self._tree(context)
        try:
            yield from load_batches(
                tree, requests, _suffixes(context), context.now, label=_label(context)
            )
        finally:
            tree.close()

    def units_holding(
        self,
        resource: Resource,
        units: Sequence[Unit],
        values: frozenset[str],
        context: SourceContext,
    ) -> Sequence[Unit]:
        """The files in whose name or text one of the symbols stands."""
        if resource.name == BASIS.name:
            return units
        from ttapi.sources.folder import files_naming  # noqa: PLC0415 - not to list

        tree = self._tree(context)
        try:
            return files_naming(tree, units, values)
        finally:
            tree.close()

    def _tree(self, context: SourceContext) -> Tree:
        from ttapi.sources.folder import open_tree, read_all  # noqa: PLC0415 - brings zipfile

        path = Path(context.settings["path"].strip()).expanduser()
        pattern = context.settings.get("pattern", "").strip() or "*"
        return open_tree(
            path,
            lambda key: key.lower().endswith(SUFFIXES) and fnmatchcase(key, pattern),
            self._read or read_all,
        )


def _price_basis(context: SourceContext) -> str:
    basis = context.settings.get("price_basis", "raw").strip().lower()
    if basis not in get_args(PriceBasis):
        raise UsageError(
            f"[sources.metastock] price_basis = {basis!r} is unknown",
            hint=f"one of {', '.join(get_args(PriceBasis))}",
        )
    return basis


def _label(context: SourceContext) -> str:
    return context.settings.get("label", "").strip() or MetastockSource.name


def _suffixes(context: SourceContext) -> tuple[str, ...]:
    text = context.settings.get("strip_suffix", DEFAULT_SUFFIX)
    return tuple(part.strip().upper() for part in text.split(",") if part.strip())


def _basis(request: UnitRequest, basis: str) -> Batch:

    from ttapi.sources.text_files import content_hash  # noqa: PLC0415 - brings Arrow

    if request.unit.key != MetastockSource.name:
        return Batch((UnitReport(request.unit, error="there is one basis, for the whole source"),))
    digest = content_hash(basis.encode())
    if digest == request.known_hash:
        return Batch((UnitReport(request.unit, digest, is_unchanged=True),))

    import pyarrow as pa  # noqa: PLC0415 - declarations are read without it

    report = UnitReport(request.unit, digest, rows_in=1, rows_accepted=1, has_duplicates=False)
    rows = pa.table(
        {
            "source": pa.array([MetastockSource.name], pa.string()),
            "price_basis": pa.array([basis], pa.string()),
            "unit": pa.array([0], pa.int32()),
            "line": pa.array([None], pa.int32()),
            "known_at": pa.array([None], pa.timestamp("us")),
        }
    )
    return Batch((report,), rows)
