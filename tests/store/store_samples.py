# SPDX-License-Identifier: Apache-2.0

"""A resource of three columns and batches of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256

import cloudpickle
import pyarrow as pa

from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

BARS = Resource(
    name="bars",
    table="test_bars",
    about="Bars of a test.",
    columns=(
        Column("symbol", "VARCHAR", "underlying"),
        Column("date", "DATE", "session date"),
        Column("close", "DOUBLE", "USD; null: not said"),
    ),
    grain=("symbol", "date"),
    keys=("symbol",),
    time_column="date",
)
DATASET = "raw.test_bars"
KEYLESS = replace(BARS, keys=())
TRACKED = replace(BARS, tracked="date")

Row = tuple[str | None, date | None, float | None]


@dataclass(frozen=True)
class File:
    """One unit as a test writes it: rows with the instants their source gave them."""

    key: str
    rows: tuple[Row, ...]
    has_duplicates: bool = True
    known_at: tuple[datetime | None, ...] | None = None
    rejects: tuple[tuple[int, str, str], ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def content_hash(self) -> str:
        return sha256(repr((self.rows, self.rejects)).encode()).hexdigest()

    @property
    def last_date(self) -> date | None:
        return max((row[1] for row in self.rows if row[1] is not None), default=None)

    def natural(self, position: int) -> datetime | None:
        if self.known_at is not None:
            return self.known_at[position]
        day = self.rows[position][1]
        return datetime(day.year, day.month, day.day, 20) if day else None

    def report(self) -> UnitReport:
        days = [row[1] for row in self.rows if row[1] is not None]
        return UnitReport(
            Unit(self.key, len(self.rows), 1),
            content_hash=None if self.error else self.content_hash,
            rows_in=len(self.rows) + len(self.rejects),
            rows_accepted=len(self.rows),
            rows_refused=len(self.rejects),
            first_date=min(days, default=None),
            last_date=max(days, default=None),
            has_duplicates=self.has_duplicates,
            error=self.error,
            notes=self.notes,
        )


def batch_of(*files: File, order: list[int] | None = None) -> Batch:
    """The files as one batch; `order` rearranges its rows."""
    sent = [
        (index, line, *row, file.natural(line))
        for index, file in enumerate(files)
        if not file.error
        for line, row in enumerate(file.rows)
    ]
    sent = [sent[i] for i in order] if order else sent
    rows = pa.table(
        {
            "unit": pa.array([s[0] for s in sent], pa.int32()),
            "line": pa.array([s[1] + 1 for s in sent], pa.int32()),
            "symbol": pa.array([s[2] for s in sent], pa.string()).dictionary_encode(),
            "date": pa.array([s[3] for s in sent], pa.date32()),
            "close": pa.array([s[4] for s in sent], pa.float64()),
            "known_at": pa.array([s[5] for s in sent], pa.timestamp("us")),
        }
    )
    refused = [(i, *reject) for i, file in enumerate(files) for reject in file.rejects]
    rejects = pa.table(
        {
            "unit": pa.array([r[0] for r in refused], pa.int32()),
            "line": pa.array([r[1] for r in refused], pa.int32()),
            "reason": pa.array([r[2] for r in refused], pa.string()),
            "text": pa.array([r[3] for r in refused], pa.string()),
        }
    )
    return Batch(tuple(file.report() for file in files), rows, rejects)


def rows_of(cursor, table="test_bars"):
    """Every row: unit, values, known_at, load_id, replaced_at, is_current; sorted."""
    return sorted(
        cursor.execute(
            f"select u.key, symbol, date, close, r.known_at, r.load_id, r.replaced_at, r.is_current"
            f" from raw.{table} as r join catalog.units as u using (unit_id)"
        ).fetchall(),
        key=repr,
    )


_CHILD = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[2])
import cloudpickle
work, uid = cloudpickle.load(sys.stdin.buffer)
if uid is not None:
    import duckdb, pyarrow.compute, ttapi.store.publish, ttapi.store.restore  # it may read no file of ours later
    os.setgid(uid)
    os.setuid(uid)
try:
    answer = ["ok", work()]
except BaseException as exc:
    answer = [type(exc).__name__, str(exc)]
print(json.dumps(answer), flush=True)
os._exit(0)
"""


def in_child(work, *, uid=None):
    """What `work()` returns, or the name and text of what it raises, in a process of its own.

    A fork of a process in which the engine has threads may die of them. What `work` needs is sent with it;
    `uid` makes the process an unprivileged user's.
    """
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, "child", json.dumps(sys.path)],
        input=cloudpickle.dumps((work, uid)), stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    return json.loads(done.stdout) if done.stdout else ["died", ""]


def tree_bytes(folder):
    """Every file under `folder` and its content."""
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
