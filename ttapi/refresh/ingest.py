# SPDX-License-Identifier: Apache-2.0
"""One raw dataset brought up to date: surveyed, fetched, loaded batch by batch.

Each batch is whole units; its rows, ledger entries and the dataset's state commit together.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import CommitUnknownError, SourceDownError, SourceError, TtapiError
from ttapi.refresh.catalog import mark_changed, write_state
from ttapi.refresh.guard import guarded, guarded_batches
from ttapi.refresh.planner import Dataset, DatasetState, Survey, code_of
from ttapi.sources.contract import Batch, Unit, UnitReport, UnitRequest
from ttapi.store.ledger import UnitRecord, dataset_version, read_units
from ttapi.store.load import LoadResult, load_batch, mark_vanished, was_loaded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from ttapi.refresh.progress import Progress
    from ttapi.refresh.workspace import Offer, Workspace
    from ttapi.store.database import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surveyed:
    """What exists now, beside what the ledger holds."""

    units: Sequence[Unit]
    ledger: Mapping[str, UnitRecord]
    difference: Survey


@dataclass(frozen=True)
class Ingest:
    """One dataset's refresh: where to, from where, under which number."""

    store: Store
    workspace: Workspace
    offer: Offer
    dataset: Dataset
    load_id: int
    progress: Progress


@dataclass
class Ingested:
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

    def add(self, loaded: LoadResult, batch: Batch, *, is_changed: bool) -> None:
        """Count one committed batch."""
        self.is_changed |= is_changed
        self.rows_in += loaded.rows_in
        self.rows_accepted += loaded.rows_accepted
        self.rows_refused += loaded.rows_refused
        self.units += len(batch.units)
        for report in batch.units:
            if reason := _failure(report):
                self.failed_units.append(f"{report.unit.key}: {reason}")


def survey_offer(store: Store, workspace: Workspace, offer: Offer) -> Surveyed:
    """What `offer`'s source lists now against the ledger; a listing is no source call.

    *Raises* UsageError for a missing folder, SourceDownError when the source is out of reach.
    """
    with guarded(offer.source.name):
        units = offer.source.survey(offer.resource, workspace.context(offer.source))
    with store.reading() as cursor:
        ledger = read_units(cursor, offer.dataset)
    return Surveyed(units, ledger, _difference(units, ledger))


def _difference(units: Sequence[Unit], ledger: Mapping[str, UnitRecord]) -> Survey:
    new, changed = [], []
    for unit in units:
        known = ledger.get(unit.key)
        if known is None:
            new.append(unit.key)
        elif known.is_vanished or (known.size, known.mtime_ns) != (unit.size, unit.mtime_ns):
            changed.append(unit.key)
    present = {unit.key for unit in units}
    vanished = [
        key for key, known in ledger.items() if key not in present and not known.is_vanished
    ]
    return Survey(tuple(new), tuple(changed), tuple(vanished), tuple(u.key for u in units))


def ingest(
    task: Ingest,
    state: DatasetState,
    surveyed: Surveyed,
    *,
    is_forced: bool,
    span: tuple[date | None, date | None] = (None, None),
) -> tuple[Ingested, DatasetState]:
    """Fetch and load what differs; the account, and the state as committed.

    A changed ingestor asks every unit again with no known hash. Changed settings, and `is_forced`,
    ask every unit too, but equal content is not loaded again.
    """
    is_new_code = code_of(state.fingerprint) not in {"", code_of(task.dataset.fingerprint)}
    is_reset = state.fingerprint not in {"", task.dataset.fingerprint}
    requests = _requests(
        surveyed, everything=is_forced or is_reset, trust_hash=not is_new_code, span=span
    )
    account = Ingested(source_calls=len(requests))
    task.progress.started(task.dataset.name, len(requests))
    try:
        for batch_no, batch in enumerate(_batches(task, requests)):
            state = _load(task, state, batch, batch_no, account)
            task.progress.advanced(task.dataset.name, account.units)
    except SourceDownError as exc:
        account.error, account.is_down = str(exc), True
    except SourceError as exc:
        account.error = str(exc)
    finally:
        task.progress.finished(task.dataset.name)
    return account, _finish(task, state, surveyed, account)


def _requests(
    surveyed: Surveyed, *, everything: bool, trust_hash: bool, span: tuple[date | None, date | None]
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


def _batches(task: Ingest, requests: Sequence[UnitRequest]) -> Iterable[Batch]:
    if not requests:
        return ()
    source = task.offer.source
    with guarded(source.name):
        fetched = source.fetch(task.offer.resource, requests, task.workspace.context(source))
    batches = guarded_batches(source.name, fetched)
    if not task.dataset.is_local:
        return batches
    from ttapi.refresh.batches import joined  # noqa: PLC0415 - brings Arrow

    return joined(batches)


def _load(
    task: Ingest, state: DatasetState, batch: Batch, batch_no: int, account: Ingested
) -> DatasetState:
    """Commit one batch with its ledger and the dataset's state; the state as committed."""
    name, now = task.dataset.name, task.workspace.now
    try:
        with task.store.transaction() as cursor:
            loaded = load_batch(
                cursor,
                task.offer.resource,
                name,
                batch,
                load_id=task.load_id,
                batch_no=batch_no,
                now=now,
            )
            is_changed = loaded.changed_keys_count > 0
            if is_changed:
                version = dataset_version(cursor, name)
                state = replace(state, version=version, load_id=task.load_id, changed_at=now)
                write_state(cursor, name, state)
            if is_changed or loaded.rows_refused or loaded.units_failed:
                mark_changed(cursor)
    except CommitUnknownError:
        task.store.reopen()
        with task.store.reading() as cursor:
            if not was_loaded(cursor, name, load_id=task.load_id, batch_no=batch_no):
                raise
    account.add(loaded, batch, is_changed=is_changed)
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


def _failure(report: UnitReport) -> str | None:
    """Why a unit failed: it says so, or not one of its rows was accepted."""
    if report.error:
        return report.error
    if report.is_unchanged or report.rows_accepted:
        return None
    return f"no accepted row of {report.rows_in}" if report.rows_in else "no rows"


def _finish(
    task: Ingest, state: DatasetState, surveyed: Surveyed, account: Ingested
) -> DatasetState:
    """The dataset's state after the last batch: asked now, or failed now."""
    with task.store.transaction() as cursor:
        if surveyed.difference.vanished or account.error != state.error:
            mark_changed(cursor)
        if surveyed.difference.vanished:
            mark_vanished(
                cursor,
                task.dataset.name,
                surveyed.difference.vanished,
                load_id=task.load_id,
                now=task.workspace.now,
            )
        if account.error:
            state = replace(state, error=account.error, failed_at=task.workspace.now)
        else:
            state = replace(
                state,
                fingerprint=task.dataset.fingerprint,
                asked_at=task.workspace.now,
                error=None,
                failed_at=None,
            )
        rows = cursor.execute(
            "select coalesce(sum(rows_accepted), 0)::bigint from catalog.units where dataset = ?",
            [task.dataset.name],
        ).fetchall()[0][0]
        state = replace(state, rows=int(rows))
        write_state(cursor, task.dataset.name, state)
    return state


def account_of_error(error: TtapiError) -> Ingested:
    """The account of a dataset whose survey already failed."""
    return Ingested(error=str(error), is_down=isinstance(error, SourceDownError))
