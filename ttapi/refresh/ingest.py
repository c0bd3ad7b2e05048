# SPDX-License-Identifier: Apache-2.0
"""One raw dataset brought up to date: surveyed, fetched, loaded batch by batch.

Each batch is whole units; its rows, ledger entries and the dataset's state commit together.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ttapi.errors import CommitUnknownError, SourceDownError, SourceError, TtapiError
from ttapi.refresh.coverage import coverage_after
from ttapi.refresh.datasets import Dataset, Step, code_of
from ttapi.refresh.plan import units_holding
from ttapi.refresh.planner import rules_of
from ttapi.sources.contract import Batch, UnitReport, UnitRequest
from ttapi.sources.discovery import guarded, guarded_batches
from ttapi.store.catalog import (
    DatasetState,
    DateInterval,
    Slice,
    forget_slices,
    mark_changed,
    write_asked,
    write_state,
)
from ttapi.store.ledger import dataset_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from ttapi.refresh.datasets import SourceResource
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.plan import UnitListing
    from ttapi.refresh.writer import Progress
    from ttapi.sources.contract import SourceContext
    from ttapi.sources.traffic import NetworkAccounts
    from ttapi.store.engine import Connection
    from ttapi.store.load import LoadResult
    from ttapi.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IngestTask:
    """One dataset's refresh: where to, from where, under which number."""

    store: Store
    environment: Environment
    offer: SourceResource
    dataset: Dataset
    load_id: int
    progress: Progress
    accounts: NetworkAccounts


@dataclass
class IngestResult:
    """Running account of one dataset's refresh."""

    rows_in: int = 0
    rows_accepted: int = 0
    rows_refused: int = 0
    source_calls: int = 0
    is_changed: bool = False
    failed_units: list[str] = field(default_factory=list)
    """`key: reason` of each unit that failed."""
    error: str | None = None
    is_down: bool = False
    units: int = 0
    asked: int = 0
    """Units the source was asked for; several may share a call."""
    batches: int = 0
    seen_units: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """Size and time of each unit looked at, by key."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Units that the source said it has not, and how it said so."""

    def add(
        self, loaded: LoadResult, batch: Batch, *, is_changed: bool, may_be_empty: bool
    ) -> None:
        """Count one committed batch; `may_be_empty`: a unit without rows is an answer too."""
        self.is_changed |= is_changed
        self.rows_in += loaded.rows_in
        self.rows_accepted += loaded.rows_accepted
        self.rows_refused += loaded.rows_refused
        self.units += len(batch.units)
        for report in batch.units:
            if not report.error:
                self.seen_units[report.unit.key] = (report.unit.size, report.unit.mtime_ns)
            elif report.is_absent:
                self.unavailable[report.unit.key] = report.error
            if reason := (report.error if may_be_empty else _failure(report)):
                self.failed_units.append(f"{report.unit.key}: {reason}")

    def fail_if_nothing_was_answered(self) -> None:
        """Make it the dataset's error when not one of its units was answered."""
        if self.error is None and self.units and len(self.failed_units) == self.units:
            first = self.failed_units[0]
            if self.units > 1:
                # Where not one of many is known, the answer is odd, not what was asked.
                self.unavailable.clear()
            several = f"none of {self.units:,} slices was answered: {first}"
            self.error = first if self.units == 1 else several


def ingest(
    task: IngestTask,
    state: DatasetState,
    surveyed: UnitListing,
    step: Step,
    *,
    is_forced: bool,
    span: tuple[date | None, date | None] = (None, None),
) -> tuple[IngestResult, DatasetState]:
    """Fetch and load what differs; the account, and the state as committed.

    A changed ingestor asks every unit again with no known hash. Changed settings, and `is_forced`,
    ask every unit too, but equal content is not loaded again. A step for some keys leaves the
    other units for later.
    """
    is_new_code = code_of(state.fingerprint) not in {"", code_of(task.dataset.fingerprint)}
    is_reset = state.fingerprint not in {"", task.dataset.fingerprint}
    requests = _requests(
        surveyed, everything=is_forced or is_reset, trust_hash=not is_new_code, span=span
    )
    keys = None if is_reset else step.keys
    account = IngestResult()
    with failures_recorded(account):
        if keys is not None:
            units = [request.unit for request in requests]
            wanted = units_holding(_context(task), task.offer, units, keys)
            requests = [request for request in requests if request.unit.key in wanted]
        state = fetch_and_load(task, state, requests, account)
    # A file that cannot be read is there all the same; what a vendor was asked for is not.
    if not task.dataset.is_local:
        account.fail_if_nothing_was_answered()
    return account, _finish(task, state, surveyed, account, keys)


@contextmanager
def failures_recorded(account: IngestResult) -> Iterator[None]:
    """What a source raises inside the block becomes the account's error."""
    try:
        yield
    except SourceDownError as exc:
        account.error, account.is_down = str(exc), True
    except SourceError as exc:
        account.error = str(exc)


def fetch_and_load(
    task: IngestTask,
    state: DatasetState,
    requests: Sequence[UnitRequest],
    account: IngestResult,
    asked: Mapping[str, Slice] | None = None,
) -> DatasetState:
    """Ask the source for `requests` and commit what comes, batch by batch.

    `asked`: the slice each unit stands for, noted with its rows. *Raises* SourceError.
    """
    account.asked += len(requests)
    account.source_calls += -(-len(requests) // task.dataset.units_a_call)
    task.progress.started(task.dataset.name, len(requests))
    try:
        for batch in _batches(task, requests):
            state = _load(task, state, batch, account, asked or {})
            task.progress.advanced(task.dataset.name, account.units)
    finally:
        task.progress.finished(task.dataset.name)
    return state


def _context(task: IngestTask) -> SourceContext:
    return task.environment.context(task.offer.source, task.accounts)


def _requests(
    surveyed: UnitListing,
    *,
    everything: bool,
    trust_hash: bool,
    span: tuple[date | None, date | None],
) -> list[UnitRequest]:
    wanted = {*surveyed.difference.to_fetch}
    requests = []
    for unit in surveyed.units:
        if everything or unit.key in wanted:
            known = surveyed.ledger.get(unit.key)
            known_hash = (
                known.content_hash if known and trust_hash and not known.is_vanished else None
            )
            requests.append(UnitRequest(unit, known_hash, *span))
    return requests


def _batches(task: IngestTask, requests: Sequence[UnitRequest]) -> Iterable[Batch]:
    if not requests:
        return ()
    from ttapi.refresh.batches import OF_ANSWERS, OF_FILES, joined  # noqa: PLC0415 - brings Arrow
    from ttapi.sources.conformity import conforming  # noqa: PLC0415 - so does this

    source = task.offer.source
    with guarded(source):
        fetched = source.fetch(task.offer.resource, requests, _context(task))
    batches = conforming(task.offer.resource, requests, guarded_batches(source, fetched))
    return joined(batches, OF_FILES if task.dataset.is_local else OF_ANSWERS)


def _load(
    task: IngestTask,
    state: DatasetState,
    batch: Batch,
    account: IngestResult,
    asked: Mapping[str, Slice],
) -> DatasetState:
    """Commit one batch with its ledger, slices and the dataset's state; the state as committed."""
    name, now = task.dataset.name, task.environment.now
    batch_no = account.batches
    account.batches += 1
    try:
        with task.store.transaction() as cursor:
            loaded = _load_asked(task, cursor, batch, batch_no, asked)
            is_changed = loaded.changed_keys_count > 0
            if is_changed:
                version = dataset_version(cursor, name)
                state = replace(state, version=version, load_id=task.load_id, changed_at=now)
                write_state(cursor, name, state)
            if is_changed or loaded.rows_refused or loaded.units_failed:
                mark_changed(cursor)
    except CommitUnknownError:
        from ttapi.store.load import was_loaded  # noqa: PLC0415 - brings Arrow

        task.store.reopen()
        with task.store.reading() as cursor:
            if not was_loaded(cursor, name, load_id=task.load_id, batch_no=batch_no):
                raise
    account.add(loaded, batch, is_changed=is_changed, may_be_empty=bool(asked))
    log.info(
        "batch loaded",
        extra={
            "dataset": name,
            "load_id": task.load_id,
            "batch_no": batch_no,
            "units": len(batch.units),
            "rows_in": loaded.rows_in,
            "rows_accepted": loaded.rows_accepted,
            "rows_refused": loaded.rows_refused,
        },
    )
    return state


def _load_asked(
    task: IngestTask,
    cursor: Connection,
    batch: Batch,
    batch_no: int,
    asked: Mapping[str, Slice],
) -> LoadResult:
    """The rows of `batch` loaded, and the slices that they answer noted."""
    from ttapi.store.load import load_batch  # noqa: PLC0415 - brings Arrow

    reports = {report.unit.key: report for report in batch.units}
    answered = [asked[r.unit.key] for r in batch.units if r.unit.key in asked and not r.error]
    loaded = load_batch(
        cursor,
        task.offer.resource,
        task.dataset.name,
        batch,
        load_id=task.load_id,
        batch_no=batch_no,
        now=task.environment.now,
        coverage={one.key: _given(one.span, reports[one.key]) for one in answered},
    )
    rules = rules_of(task.dataset, task.environment.clock)
    join = partial(coverage_after, rules=rules)
    write_asked(cursor, task.dataset.name, answered, join=join, load_id=task.load_id)
    return loaded


def _given(span: DateInterval, report: UnitReport) -> DateInterval:
    """What of the interval asked the world gave: a truncated history begins later than asked."""
    start, end = span
    first = report.truncated_before
    if first is None or (start is not None and start >= first):
        return span
    return first, end


def _failure(report: UnitReport) -> str | None:
    """Why a unit failed: it says so, or not one of its rows was accepted."""
    if report.error:
        return report.error
    if report.is_unchanged or report.rows_accepted:
        return None
    return f"no accepted row of {report.rows_in}" if report.rows_in else "no rows"


def _finish(
    task: IngestTask,
    state: DatasetState,
    surveyed: UnitListing,
    account: IngestResult,
    keys: frozenset[str] | None,
) -> DatasetState:
    """The dataset's state after the last batch: asked now, wholly or for `keys`, or failed now."""
    name, now = task.dataset.name, task.environment.now
    with task.store.transaction() as cursor:
        if surveyed.difference.vanished or account.error != state.error:
            mark_changed(cursor)
        if surveyed.difference.vanished:
            from ttapi.store.load import mark_vanished  # noqa: PLC0415 - brings Arrow

            gone = surveyed.difference.vanished
            mark_vanished(cursor, name, gone, load_id=task.load_id, now=now)
        if account.error:
            state = replace(state, error=account.error, failed_at=now)
        else:
            state = replace(state, fingerprint=task.dataset.fingerprint, error=None, failed_at=None)
            if keys is None:
                state = replace(state, asked_at=now)
                forget_slices(cursor, name)
            else:
                rules = rules_of(replace(task.dataset, time_column=None), task.environment.clock)
                asked = [Slice(key, now) for key in sorted(keys)]
                write_asked(
                    cursor,
                    name,
                    asked,
                    join=partial(coverage_after, rules=rules),
                    load_id=task.load_id,
                )
        state = replace(state, rows=rows_held(cursor, name))
        write_state(cursor, name, state)
    return state


def rows_held(cursor: Connection, dataset: str) -> int:
    """Accepted rows of `dataset`, as the ledger counts them."""
    (row,) = cursor.execute(
        "select coalesce(sum(rows_accepted), 0)::bigint from catalog.units where dataset = ?",
        [dataset],
    ).fetchall()
    return int(row[0])


def account_of_error(error: TtapiError) -> IngestResult:
    """The account of a dataset whose survey already failed."""
    return IngestResult(error=str(error), is_down=isinstance(error, SourceDownError))
