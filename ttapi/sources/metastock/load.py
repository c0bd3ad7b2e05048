# SPDX-License-Identifier: Apache-2.0
"""Requested files read and parsed ahead in the background, and put into batches.

While the engine stores one chunk of files the next is parsed and the one after it read: each keeps a core
busy for a part of its time only.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.errors import SourceError
from ttapi.sources.contract import (
    Batch,
    UnitReport,
    UnitRequest,
)
from ttapi.sources.instants import session_today
from ttapi.sources.metastock.dialect import PreparedFile, prepare_lines, prepare_plain
from ttapi.sources.metastock.parse import parse_together
from ttapi.sources.metastock.rows import SymbolNames, UnitFacts, finish, stem_of
from ttapi.sources.text_files import content_hash, reject_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ttapi.sources.folder import Tree


CHUNK_BYTES = 20 << 20
"""Bytes of files read ahead at a time."""
CHUNK_FILES = 400
_CHUNKS_AHEAD = 2
"""One that is parsed, and one that is read meanwhile."""
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
    """Batches of whole files until every request has had its report."""
    # What changes the rows though the bytes are the same is part of their hash.
    salt = f"{','.join(suffixes)}|{label}"

    def parsed(loaded: Future[list[Loaded]]) -> list[Batch]:
        parts = _split_by_rows(loaded.result(), batch_rows)
        return [_labelled(_batch(part, suffixes, now), label) for part in parts]

    waiting: deque[Future[list[Batch]]] = deque()
    with (
        ThreadPoolExecutor(1, thread_name_prefix="metastock-read") as reader,
        ThreadPoolExecutor(1, thread_name_prefix="metastock-parse") as parser,
    ):
        try:
            for chunk in _chunks(requests):
                loaded = reader.submit(_read_chunk, tree, chunk, salt)
                waiting.append(parser.submit(parsed, loaded))
                if len(waiting) > _CHUNKS_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            # Who takes no more batches does not wait for those nobody began.
            for one in waiting:
                one.cancel()


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
