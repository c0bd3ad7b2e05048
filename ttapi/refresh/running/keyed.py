# SPDX-License-Identifier: Apache-2.0
"""A dataset asked key by key: each slice a plan names is fetched and noted with its rows.

Several intervals of one key are asked one after the other, so that nothing between them is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi.refresh.catalog import mark_changed, write_state
from ttapi.refresh.planning.coverage import Slice
from ttapi.refresh.planning.raw_step import rules_of
from ttapi.refresh.planning.slices import forget_slices, write_asked
from ttapi.refresh.running.completion import Piece, pieces_of
from ttapi.refresh.running.ingest import Ingested, failures_told, fetch_and_load, rows_held
from ttapi.sources.contract import Unit, UnitRequest
from ttapi.store.ledger import read_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

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
        pieces, settled = pieces_of(
            cursor,
            task.workspace.datasets.get(task.dataset.completes or ""),
            step.asks,
            task.dataset.sessions or "",
            _newest_session(task),
        )
    account = Ingested()
    now = task.workspace.now
    _note(task, [Slice(ask.key, now, ask.span) for ask in settled])
    with failures_told(account):
        for round_ in _rounds(pieces):
            requests = [_request(piece, known.get(piece.key), task, state) for piece in round_]
            asked = {
                piece.key: Slice(piece.key, now, piece.noted or piece.span) for piece in round_
            }
            state = fetch_and_load(task, state, requests, account, asked)
    account.fail_if_nothing_was_answered()
    return account, _finish(task, state, account)


def _newest_session(task: Ingest) -> date:
    """The last session that has begun; today where the dataset knows none."""
    rules = rules_of(task.dataset, task.workspace.moment)
    day = rules.today
    while rules.is_session is not None and not rules.is_session(day):
        day -= timedelta(days=1)
    return day


def _note(task: Ingest, settled: Sequence[Slice]) -> None:
    """Note what needs no call as asked: another dataset holds it."""
    if not settled:
        return
    rules = rules_of(task.dataset, task.workspace.moment)
    with task.store.transaction() as cursor:
        write_asked(cursor, task.dataset.name, settled, rules=rules, load_id=task.load_id)


def _rounds(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """`pieces` in rounds that name a key once each."""
    waiting = list(pieces)
    while waiting:
        first: dict[str, Piece] = {}
        for piece in waiting:
            first.setdefault(piece.key, piece)
        yield list(first.values())
        chosen = set(map(id, first.values()))
        waiting = [piece for piece in waiting if id(piece) not in chosen]


def _request(
    ask: Piece, known: UnitRecord | None, task: Ingest, state: DatasetState
) -> UnitRequest:
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
