# SPDX-License-Identifier: Apache-2.0
"""The source `metastock`: a folder tree or zip archive of MetaStock ASCII files.

What reads the files is imported when files are read, so `status` can list resources in no time.

Requested files read ahead in the background, parsed together, and put into batches.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pyarrow as pa

from ttapi.errors import SourceError, UsageError
from ttapi.sources.contract import (
    Batch,
    Column,
    Resource,
    SourceContext,
    Unit,
    UnitReport,
    UnitRequest,
)
from ttapi.sources.dates import session_today
from ttapi.sources.metastock.dialect import PreparedFile, prepare_lines, prepare_plain
from ttapi.sources.metastock.parse import parse_together
from ttapi.sources.metastock.rows import SymbolNames, UnitFacts, finish, stem_of
from ttapi.sources.text_files import content_hash, reject_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

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


CHUNK_BYTES = 20 << 20
"""Bytes of files read ahead at a time."""
CHUNK_FILES = 400
BATCH_ROWS = 500_000
"""Rows a batch holds at most, unless one file alone has more."""


@dataclass(frozen=True)
class Loaded:
    """One requested file as it was read."""

    request: UnitRequest
    report: UnitReport
    content: bytes = b""
    file: PreparedFile | None = None
    """None where the report is final: unchanged, or failed."""


def load_batches(
    tree: Tree,
    requests: Sequence[UnitRequest],
    suffixes: tuple[str, ...],
    now: datetime,
    batch_rows: int = BATCH_ROWS,
    *,
    label: str = "metastock",
) -> Iterator[Batch]:
    """Batches of whole files until every request has had its report.

    The next chunk of files is read while one is parsed.
    """
    chunks = list(_chunks(requests))
    # What changes the rows though the bytes are the same is part of their hash.
    salt = f"{','.join(suffixes)}|{label}"
    with ThreadPoolExecutor(1, thread_name_prefix="metastock-read") as reader:
        ahead = reader.submit(_read_chunk, tree, chunks[0], salt) if chunks else None
        for following in (*chunks[1:], None):
            if ahead is None:
                return
            loaded = ahead.result()
            ahead = (
                reader.submit(_read_chunk, tree, following, salt) if following is not None else None
            )
            for part in _split_by_rows(loaded, batch_rows):
                yield _labelled(_batch(part, suffixes, now), label)


def _labelled(batch: Batch, label: str) -> Batch:
    """`batch` with `label` as the source of every row."""
    if batch.rows is None:
        return batch
    zeros = pa.repeat(pa.scalar(0, pa.int8()), batch.rows.num_rows)
    column = pa.DictionaryArray.from_arrays(zeros, pa.array([label], pa.string()))
    return replace(batch, rows=batch.rows.append_column("source", column))


def _chunks(requests: Sequence[UnitRequest]) -> Iterator[list[UnitRequest]]:
    chunk: list[UnitRequest] = []
    size = 0
    for request in requests:
        chunk.append(request)
        size += request.unit.size or 0
        if size >= CHUNK_BYTES or len(chunk) >= CHUNK_FILES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _read_chunk(tree: Tree, requests: Sequence[UnitRequest], salt: str) -> list[Loaded]:
    return [_read_one(tree, request, salt) for request in requests]


def _read_one(tree: Tree, request: UnitRequest, salt: str) -> Loaded:
    try:
        content = tree.read(request.unit)
    except SourceError as exc:
        return Loaded(request, UnitReport(request.unit, error=str(exc)))
    digest = content_hash(content, salt)
    report = UnitReport(request.unit, content_hash=digest)
    if digest == request.known_hash:
        return Loaded(request, replace(report, is_unchanged=True))
    try:
        file = prepare_plain(content) or prepare_lines(content)
    except SourceError as exc:
        # Without a hash, so that the same bytes are not called unchanged but fail again.
        return Loaded(request, UnitReport(request.unit, error=f"{request.unit.key}: {exc}"))
    return Loaded(request, report, content, file)


def _split_by_rows(loaded: Sequence[Loaded], batch_rows: int) -> Iterator[list[Loaded]]:
    part: list[Loaded] = []
    rows = 0
    for one in loaded:
        more = one.file.rows if one.file else 0
        if part and rows + more > batch_rows:
            yield part
            part, rows = [], 0
        part.append(one)
        rows += more
    if part:
        yield part


def _batch(part: Sequence[Loaded], suffixes: tuple[str, ...], now: datetime) -> Batch:
    files = {unit: one.file for unit, one in enumerate(part) if one.file is not None}
    outcome = parse_together(files, lambda unit: part[unit].content, session_today(now))
    names = SymbolNames(
        {unit: stem_of(one.request.unit.key) for unit, one in enumerate(part)}, suffixes
    )
    tables: list[pa.Table] = []
    facts: dict[int, UnitFacts] = {}
    for alike in outcome.parts:
        table, found = finish(alike.rows, names, alike.time_digits, now)
        tables.append(table)
        facts |= found
    reports = tuple(
        _report(
            one, facts.get(unit), len(outcome.rejects.get(unit, ())), outcome.notes.get(unit, ())
        )
        for unit, one in enumerate(part)
    )
    rows = pa.concat_tables(tables).unify_dictionaries() if tables else None
    refused = (
        (unit, one.line, one.reason, one.text)
        for unit, own in sorted(outcome.rejects.items())
        for one in own
    )
    return Batch(reports, rows, reject_table(refused))


def _report(one: Loaded, facts: UnitFacts | None, refused: int, notes: Sequence[str]) -> UnitReport:
    if one.file is None:
        return one.report
    accepted = facts.rows if facts else 0
    if not accepted and not refused:
        notes = (*notes, "no_rows: the file holds no rows")
    return replace(
        one.report,
        rows_in=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        first_date=facts.first_date if facts else None,
        last_date=facts.last_date if facts else None,
        has_duplicates=facts.has_duplicates if facts else False,
        notes=(*notes, *(facts.notes if facts else ())),
    )
