# SPDX-License-Identifier: Apache-2.0
"""Notes: the oddities of a unit that a person should hear of, as of its last load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.store.difference import registered
from ttapi.store.engine import Connection, as_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ttapi.store.arrivals import Arrivals

_NOTE = re.compile(r"([a-z][a-z _-]{1,40}): (.+)", re.DOTALL)
VANISHED = "file vanished"
"""The note code of a unit that is no longer there; its rows stay."""


def write_notes(
    cursor: Connection, dataset: str, arrivals: Arrivals, *, load_id: int, now: datetime
) -> None:
    """Have re-read units hold their new notes only, and units that are back no note of having gone."""
    reread = [unit.report.unit.key for unit in arrivals.units if unit.is_loaded]
    rows = [
        (unit.report.unit.key, *_coded(note))
        for unit in arrivals.units
        for note in unit.report.notes
    ]
    replace_notes(cursor, dataset, reread, rows, load_id=load_id, now=now)
    there = [unit.report.unit.key for unit in arrivals.units if unit.report.error is None]
    cursor.execute(
        "delete from catalog.notes where dataset = ? and code = ?"
        " and unit in (select unnest(?::varchar[]))",
        [dataset, VANISHED, there],
    )


def replace_notes(
    cursor: Connection,
    dataset: str,
    units: Sequence[str],
    rows: Sequence[tuple[str, str, str]],
    *,
    load_id: int,
    now: datetime,
) -> None:
    """Put `rows` (unit, code, detail) in place of the notes on `units`."""
    cursor.execute(
        "delete from catalog.notes where dataset = ? and unit in (select unnest(?::varchar[]))",
        [dataset, list(units)],
    )
    if not rows:
        return
    table = pa.table(
        [pa.array(column, pa.string()) for column in zip(*rows, strict=True)],
        ["unit", "code", "detail"],
    )
    with registered(cursor, "noted", table):
        cursor.execute(
            "insert into catalog.notes select ?, unit, code, detail, ?, ? from noted",
            [dataset, load_id, as_timestamp(now)],
        )


def _coded(note: str) -> tuple[str, str]:
    """A source's note as code and detail: `split suspected: AAPL on 2014-06-09` names its own code."""
    match = _NOTE.fullmatch(note)
    return (match[1], match[2]) if match else ("note", note)
