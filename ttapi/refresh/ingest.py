# SPDX-License-Identifier: Apache-2.0
"""One raw dataset brought up to date: surveyed, fetched, loaded batch by batch.

Each batch is whole units; its rows, ledger entries and the dataset's state commit together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from ttapi.errors import CommitUnknownError, SourceDownError, SourceError, TtapiError
from ttapi.refresh.catalog import write_state
from ttapi.refresh.planner import Dataset, DatasetState, Survey
from ttapi.refresh.progress import Progress
from ttapi.sources.contract import Batch, Unit, UnitRequest
from ttapi.store.ledger import UnitRecord, dataset_version, read_units
from ttapi.store.load import load_batch, mark_vanished, was_loaded

if TYPE_CHECKING:
    from ttapi.refresh.workspace import Offer, Workspace
    from ttapi.store.database import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surveyed:
    """What exists now, beside what the ledger holds."""

    units: Sequence[Unit]
    ledger: Mapping[str, UnitRecord]
    difference: Survey


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


def survey_offer(store: Store, workspace: Workspace, offer: Offer) -> Surveyed:
    """What `offer`'s source lists now against the ledger; a listing is no source call.

    *Raises* UsageError for a missing folder, SourceDownError when the source is out of reach.
    """
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
    vanished = [key for key, known in ledger.items() if key not in present and not known.is_vanished]
    return Survey(tuple(new), tuple(changed), tuple(vanished))


def ingest(
    store: Store,
    workspace: Workspace,
    offer: Offer,
    dataset: Dataset,
    state: DatasetState,
    surveyed: Surveyed,
    *,
    load_id: int,
    is_forced: bool,
    progress: Progress,
    span: tuple[date | None, date | None] = (None, None),
) -> tuple[Ingested, DatasetState]:
    """Fetch and load what differs; the account, and the state as committed.

    A changed ingestor (`code`) asks every unit again with no known hash; `is_forced` asks every
    unit, but equal content is not loaded again.
    """
    is_new_code = state.fingerprint not in {"", dataset.fingerprint}
    requests = _requests(surveyed, everything=is_forced or is_new_code, trust_hash=not is_new_code, span=span)
    account = Ingested(source_calls=len(requests))
    progress.started(dataset.name, len(requests))
    try:
        state = _load_all(store, workspace, offer, dataset, state, requests, account, load_id, progress)
    except SourceDownError as exc:
        account.error, account.is_down = str(exc), True
    except SourceError as exc:
        account.error = str(exc)
    finally:
        progress.finished(dataset.name)
    return account, _finish(store, workspace, dataset, state, surveyed, account, load_id)


def _requests(
    surveyed: Surveyed, *, everything: bool, trust_hash: bool, span: tuple[date | None, date | None]
) -> list[UnitRequest]:
    wanted = {*surveyed.difference.to_fetch}
    requests = []
    for unit in surveyed.units:
        if everything or unit.key in wanted:
            known = surveyed.ledger.get(unit.key)
            known_hash = known.content_hash if known and trust_hash and not known.is_vanished else None
            requests.append(UnitRequest(unit, known_hash, *span))
    return requests


def _load_all(
    store: Store,
    workspace: Workspace,
    offer: Offer,
    dataset: Dataset,
    state: DatasetState,
    requests: Sequence[UnitRequest],
    account: Ingested,
    load_id: int,
    progress: Progress,
) -> DatasetState:
    if not requests:
        return state
    done = 0
    batches = offer.source.fetch(offer.resource, requests, workspace.context(offer.source))
    for batch_no, batch in enumerate(batches):
        state = _load_one(store, workspace, offer, dataset, state, batch, account, load_id, batch_no)
        done += len(batch.units)
        progress.advanced(dataset.name, done)
    return state


def _load_one(
    store: Store,
    workspace: Workspace,
    offer: Offer,
    dataset: Dataset,
    state: DatasetState,
    batch: Batch,
    account: Ingested,
    load_id: int,
    batch_no: int,
) -> DatasetState:
    try:
        with store.transaction() as cursor:
            loaded = load_batch(
                cursor,
                offer.resource,
                dataset.name,
                batch,
                load_id=load_id,
                batch_no=batch_no,
                now=workspace.now,
            )
            is_changed = loaded.changed_keys_count > 0
            if is_changed:
                state = replace(
                    state, version=dataset_version(cursor, dataset.name), load_id=load_id, changed_at=workspace.now
                )
                write_state(cursor, dataset.name, state)
    except CommitUnknownError:
        store.reopen()
        with store.reading() as cursor:
            if not was_loaded(cursor, dataset.name, load_id=load_id, batch_no=batch_no):
                raise
    account.is_changed |= is_changed
    account.rows_in += loaded.rows_in
    account.rows_accepted += loaded.rows_accepted
    account.rows_refused += loaded.rows_refused
    for report in batch.units:
        if reason := _failure(report.error, report.rows_in, report.rows_accepted, is_unchanged=report.is_unchanged):
            account.failed_units.append(f"{report.unit.key}: {reason}")
    log.info(
        "batch loaded",
        extra={
            "dataset": dataset.name,
            "load_id": load_id,
            "batch_no": batch_no,
            "units": len(batch.units),
            "rows_in": loaded.rows_in,
            "rows_accepted": loaded.rows_accepted,
            "rows_refused": loaded.rows_refused,
        },
    )
    return state


def _failure(error: str | None, rows_in: int, rows_accepted: int, *, is_unchanged: bool) -> str | None:
    if error:
        return error
    if is_unchanged or rows_accepted:
        return None
    return f"no accepted row of {rows_in}" if rows_in else "no rows"


def _finish(
    store: Store,
    workspace: Workspace,
    dataset: Dataset,
    state: DatasetState,
    surveyed: Surveyed,
    account: Ingested,
    load_id: int,
) -> DatasetState:
    """The dataset's state after the last batch: asked now, or failed now."""
    with store.transaction() as cursor:
        if surveyed.difference.vanished:
            mark_vanished(cursor, dataset.name, surveyed.difference.vanished, load_id=load_id, now=workspace.now)
        if account.error:
            state = replace(state, error=account.error, failed_at=workspace.now)
        else:
            state = replace(
                state, fingerprint=dataset.fingerprint, asked_at=workspace.now, error=None, failed_at=None
            )
        rows = cursor.execute(
            "select coalesce(sum(rows_accepted), 0)::bigint from catalog.units where dataset = ?", [dataset.name]
        ).fetchall()[0][0]
        state = replace(state, rows=int(rows))
        write_state(cursor, dataset.name, state)
    return state


def account_of_error(error: TtapiError) -> Ingested:
    """The account of a dataset whose survey already failed."""
    return Ingested(error=str(error), is_down=isinstance(error, SourceDownError))
