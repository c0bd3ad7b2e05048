# SPDX-License-Identifier: Apache-2.0
"""A dataset asked key by key: each slice a plan names is fetched and noted with its rows.

Several intervals of one key are asked one after the other, so that nothing between them is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ttapi.refresh.catalog import mark_changed, write_state
from ttapi.refresh.planning.coverage import Slice
from ttapi.refresh.planning.slices import forget_slices
from ttapi.refresh.running.ingest import Ingested, failures_told, fetch_and_load, rows_held
from ttapi.sources.contract import Unit, UnitRequest
from ttapi.store.ledger import read_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.refresh.planning.coverage import Ask
    from ttapi.refresh.planning.datasets import DatasetState, Step
    from ttapi.refresh.running.ingest import Ingest
    from ttapi.store.ledger import UnitRecord


def ingest_asks(task: Ingest, state: DatasetState, step: Step) -> tuple[Ingested, DatasetState]:
    """Fetch and load the slices of `step`; the account, and the state as committed.

    Slices that fail leave the others standing; it is an error only when none was answered.
    """
    if state.fingerprint not in {"", task.dataset.fingerprint}:
        with task.store.transaction() as cursor:
            forget_slices(cursor, task.dataset.name)
    with task.store.reading() as cursor:
        known = read_units(cursor, task.dataset.name, sorted({ask.key for ask in step.asks}))
    account = Ingested()
    now = task.workspace.now
    with failures_told(account):
        for asks in _rounds(step.asks):
            requests = [_request(ask, known.get(ask.key), task, state) for ask in asks]
            asked = {ask.key: Slice(ask.key, now, ask.span) for ask in asks}
            state = fetch_and_load(task, state, requests, account, asked)
    if account.units and len(account.failed_units) == account.units and account.error is None:
        account.error = f"none of {account.units} slices was answered: {account.failed_units[0]}"
    return account, _finish(task, state, account)


def _rounds(asks: Sequence[Ask]) -> Iterator[list[Ask]]:
    """`asks` in rounds that name a key once each."""
    waiting = list(asks)
    while waiting:
        first: dict[str, Ask] = {}
        for ask in waiting:
            first.setdefault(ask.key, ask)
        yield list(first.values())
        chosen = set(map(id, first.values()))
        waiting = [ask for ask in waiting if id(ask) not in chosen]


def _request(ask: Ask, known: UnitRecord | None, task: Ingest, state: DatasetState) -> UnitRequest:
    # A hash speaks for a unit's whole content, so only where the unit is asked as a whole.
    is_whole = task.dataset.time_column is None and state.fingerprint == task.dataset.fingerprint
    known_hash = known.content_hash if known and is_whole else None
    return UnitRequest(Unit(ask.key), known_hash, *ask.span)


def _finish(task: Ingest, state: DatasetState, account: Ingested) -> DatasetState:
    name, now = task.dataset.name, task.workspace.now
    with task.store.transaction() as cursor:
        if account.error != state.error:
            mark_changed(cursor)
        if account.error:
            state = replace(state, error=account.error, failed_at=now)
        else:
            state = replace(
                state,
                fingerprint=task.dataset.fingerprint,
                asked_at=now,
                error=None,
                failed_at=None,
            )
        state = replace(state, rows=rows_held(cursor, name))
        write_state(cursor, name, state)
    return state
