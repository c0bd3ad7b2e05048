# SPDX-License-Identifier: Apache-2.0
"""Logs: events appended as they arrived, and the ledger, which follows at each publication.

Nothing here is asked of a batch but to be stored: no units are compared, no row is chosen current, and
what the catalog says of it is written once a publication. A unit is one session of one log. Each
batch bears the position of the journal record it comes from, and commits with it: what is replayed
after a crash begins behind the last position that is stored, so nothing is stored twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from ttapi.clock import stored_instant, utc_instant
from ttapi.sqltext import identifier
from ttapi.store.catalog import (
    DatasetState,
    mark_changed,
    read_meta,
    read_states,
    write_changed_keys,
    write_meta,
    write_state,
)
from ttapi.store.ledger import (
    Retention,
    UnitRecord,
    forget,
    never_loaded,
    read_units,
    write_units,
)
from ttapi.store.schema import raw_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ttapi.sources.contract import Resource
    from ttapi.store.engine import Connection
    from ttapi.store.store import Store

JOURNAL_POSITION = "journal_position"
"""The name of the fact up to which record of the journal the file holds everything."""
_RECORD_BITS = 24
"""Arrivals are numbered by record and place in it; a record holds fewer events than this allows."""
_EXCHANGE = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class LogRows:
    """Events of one log that arrived in one interval."""

    dataset: str
    rows: pa.Table
    """The declared columns but `arrival`, in the order of arrival."""
    refused: int = 0
    """Events between these that could not be read."""


@dataclass(frozen=True)
class LogRecord:
    """What one journal record holds: all that arrived in one interval."""

    position: int
    events: tuple[LogRows, ...]


def _numbered(position: int, count: int) -> pa.ChunkedArray:
    """Numbers of arrival of the events of a record."""
    counted = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), count))
    return pa.chunked_array([pc.add(counted, position << _RECORD_BITS)])


def _alike(records: Sequence[LogRecord]) -> dict[object, list[tuple[int, LogRows]]]:
    """What records hold with their positions, by dataset and columns: an older version may have had others."""
    found: dict[object, list[tuple[int, LogRows]]] = {}
    for record in records:
        for events in record.events:
            key = (events.dataset, *events.rows.column_names)
            found.setdefault(key, []).append((record.position, events))
    return found


@dataclass
class _Session:
    """One unit: what is stored of one session of one log."""

    record: UnitRecord
    accepted: int
    refused: int
    last_received: datetime | None
    """Naive UTC."""


class LogWriter:
    """Appends to the logs of one open store; one thread at a time uses it."""

    def __init__(self, store: Store, load_id: int, resources: Mapping[str, Resource]) -> None:
        """`resources`: of every log, by dataset."""
        self._store, self._load_id, self._resources = store, load_id, resources
        self._sessions: dict[tuple[str, str], _Session] = {}
        self.unsettled: set[tuple[str, str]] = set()
        """Dataset and session of what stands in no ledger yet; who writes on hands it to the next."""
        with store.reading() as cursor:
            self.position = int(read_meta(cursor, JOURNAL_POSITION) or 0)
            """Of the last record stored."""

    def append(self, records: Sequence[LogRecord], now: datetime) -> int:
        """Store the events of some journal records, in order and in one transaction; how many they are.

        Records that are stored already are passed over. *Raises* as `Store.transaction`.
        """
        new = [one for one in records if one.position > self.position]
        if not new:
            return 0
        try:
            with self._store.transaction() as cursor:
                for alike in _alike(new).values():
                    self._insert(cursor, alike, now)
                write_meta(cursor, JOURNAL_POSITION, str(new[-1].position))
        except BaseException:
            # What is counted of sessions may not have been stored: the file is asked again.
            self._sessions.clear()
            raise
        self.position = new[-1].position
        return sum(one.rows.num_rows for record in new for one in record.events)

    def _insert(
        self, cursor: Connection, alike: Sequence[tuple[int, LogRows]], now: datetime
    ) -> None:
        """Append events of one log and the same columns, by one statement a unit.

        Many events at once are compressed as they come and need no more at a checkpoint, which takes half of
        what small pieces take; the engine does so only where nothing but a scan of rows is inserted.
        """
        parts: dict[int, list[pa.Table]] = {}
        for position, events in alike:
            session = self._session(cursor, events, now)
            session.refused += events.refused
            if not events.rows.num_rows:
                continue
            numbers = _numbered(position, events.rows.num_rows)
            rows = events.rows.append_column("arrival", numbers)
            parts.setdefault(session.record.unit_id, []).append(rows)
            session.accepted += events.rows.num_rows
            session.last_received = events.rows["received_at"][-1].as_py()
        for unit_id, tables in parts.items():
            names = ", ".join(map(identifier, tables[0].column_names))
            cursor.register("arrived", pa.concat_tables(tables))
            cursor.execute(
                f"insert into {raw_name(self._resources[alike[0][1].dataset])}"
                f" ({names}, unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by)"
                f" select {names}, {unit_id}, null, received_at, {self._load_id}, null, true, null"
                " from arrived"
            )
            cursor.unregister("arrived")

    def _session(self, cursor: Connection, events: LogRows, now: datetime) -> _Session:
        """The unit these events belong to, by New York's date when they arrived."""
        dataset = events.dataset
        received = events.rows["received_at"][0].as_py() if events.rows.num_rows else None
        arrived = utc_instant(received) or now
        key = arrived.astimezone(_EXCHANGE).date().isoformat()
        if (dataset, key) not in self._sessions:
            self._sessions[dataset, key] = _stored_session(
                cursor, self._resources[dataset], key, now
            )
        self.unsettled.add((dataset, key))
        return self._sessions[dataset, key]

    def newest_events(self, resource: Resource, most: int) -> list[tuple[str, int, str]]:
        """symbol, tick_id and type of the newest events of a log that has these columns, oldest first."""
        if not {"tick_id", "type"} <= {column.name for column in resource.columns}:
            return []
        asked = f"select symbol, tick_id, type from {raw_name(resource)} order by arrival desc"
        with self._store.reading() as cursor:
            return cursor.execute(f"{asked} limit {most:d}").fetchall()[::-1]

    def last_received(self) -> datetime | None:
        """When the newest event of all logs arrived, zone-aware UTC; None: none has."""
        with self._store.reading() as cursor:
            found = [
                cursor.execute(f"select max(received_at) from {raw_name(one)}").fetchall()[0][0]
                for one in self._resources.values()
            ]
        return utc_instant(max(filter(None, found), default=None))

    def settle(self, fingerprints: Mapping[str, str], now: datetime) -> dict[str, DatasetState]:
        """Write ledger and state of what was appended since the last time; the states by dataset.

        `fingerprints`: of the code that made the rows, by dataset.
        """
        unsettled = sorted(one for one in self.unsettled if one[0] in self._resources)
        if not unsettled:
            return {}
        states: dict[str, DatasetState] = {}
        with self._store.transaction() as cursor:
            for name in set(unsettled) - self._sessions.keys():
                resource = self._resources[name[0]]
                self._sessions[name] = _stored_session(cursor, resource, name[1], now)
            sessions = [self._sessions[name] for name in unsettled]
            for session in sessions:
                session.record = self._settled(session, now)
            write_units(cursor, [session.record for session in sessions])
            for dataset in sorted({name for name, _ in unsettled}):
                received = [s.last_received for (n, _), s in self._sessions.items() if n == dataset]
                states[dataset] = DatasetState(
                    version=f"{self.position}",
                    fingerprint=fingerprints[dataset],
                    asked_at=utc_instant(max(filter(None, received), default=None)) or now,
                    changed_at=now,
                    load_id=self._load_id,
                    rows=_rows_of(cursor, dataset),
                )
                write_state(cursor, dataset, states[dataset])
                self._note_load(cursor, dataset, now)
            mark_changed(cursor)
        self.unsettled.difference_update(unsettled)
        return states

    def forget(
        self, retention: Retention, now: datetime
    ) -> tuple[dict[str, int], dict[str, DatasetState]]:
        """Delete what `retention` does not keep of what is settled; the rows gone, and the states that moved.

        Sessions are counted anew when the next events come.
        """
        assert not self.unsettled, "what is not settled cannot be counted"
        states: dict[str, DatasetState] = {}
        with self._store.transaction() as cursor:
            gone = forget(cursor, self._resources.values(), retention)
            held = read_states(cursor) if gone else {}
            for dataset in gone.keys() & held.keys():
                states[dataset] = replace(
                    held[dataset],
                    version=f"{self.position}, {now.isoformat()}",
                    changed_at=now,
                    load_id=self._load_id,
                    rows=_rows_of(cursor, dataset),
                )
                write_state(cursor, dataset, states[dataset])
            if gone:
                mark_changed(cursor)
        if gone:
            self._sessions.clear()
        return gone, states

    def _settled(self, session: _Session, now: datetime) -> UnitRecord:
        record, day = session.record, date.fromisoformat(session.record.key)
        return replace(
            record,
            version=str(self.position),
            covered_from=day,
            covered_to=day + timedelta(days=1),
            first_date=day,
            last_date=day,
            rows_in=session.accepted + session.refused,
            rows_accepted=session.accepted,
            rows_refused=session.refused,
            load_id=self._load_id,
            loaded_at=stored_instant(now),
            checked_at=stored_instant(now),
        )

    def _note_load(self, cursor: Connection, dataset: str, now: datetime) -> None:
        """One row of this load in `catalog.loads`, and one that says all keys may have changed."""
        cursor.execute(
            "delete from catalog.loads where load_id = ? and dataset = ?", [self._load_id, dataset]
        )
        of_load = [u for (n, _), u in self._sessions.items() if n == dataset]
        accepted = sum(one.accepted for one in of_load)
        refused = sum(one.refused for one in of_load)
        cursor.execute(
            "insert into catalog.loads values (?, ?, 0, ?, ?, ?, ?, ?, 0, ?)",
            [
                *(self._load_id, dataset, len(of_load), accepted + refused, accepted, refused),
                *(accepted, stored_instant(now)),
            ],
        )
        cursor.execute(
            "delete from catalog.changed_keys where load_id = ? and dataset = ?",
            [self._load_id, dataset],
        )
        write_changed_keys(cursor, self._load_id, dataset, None)


def _stored_session(cursor: Connection, resource: Resource, key: str, now: datetime) -> _Session:
    """The unit as the file has it: its rows counted, since the ledger may be a publication behind."""
    dataset = f"raw.{resource.table}"
    known = read_units(cursor, dataset, [key]).get(key)
    if known is None:
        ((unit_id,),) = cursor.execute(
            "select coalesce(max(unit_id), 0) + 1 from catalog.units"
        ).fetchall()
        known = never_loaded(int(unit_id), dataset, key, now)
        # At once, so that nobody else takes the number.
        write_units(cursor, [known])
    ((rows, last),) = cursor.execute(
        f"select count(*), max(received_at) from {raw_name(resource)} where unit_id = ?",
        [known.unit_id],
    ).fetchall()
    return _Session(known, rows, known.rows_refused, last)


def _rows_of(cursor: Connection, dataset: str) -> int:
    counted = "select coalesce(sum(rows_accepted), 0) from catalog.units where dataset = ?"
    return int(cursor.execute(counted, [dataset]).fetchall()[0][0])
