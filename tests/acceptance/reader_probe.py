# SPDX-License-Identifier: Apache-2.0
"""A DuckDB client that opens a published file again and again: run by that client's own interpreter.

`python -I reader_probe.py FILE SECONDS` prints one JSON object. Only the standard library and duckdb may be
imported: nothing else is installed beside an old client.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import duckdb

SEEN = "select (select value::bigint from catalog.meta where name = 'generation'), count(*), max(sequence), max(received_at) from tick_quotes"


def main(file, seconds):
    """Open, ask twice, close, until the time is over."""
    opens, errors, wrong, ages = 0, [], [], []
    before = (0, 0, 0)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        try:
            with duckdb.connect(file, read_only=True) as connection:
                (first,), (again,) = (connection.execute(SEEN).fetchall() for _ in range(2))
        except duckdb.Error as exc:
            errors.append(f"{type(exc).__name__}: {exc}")
            continue
        opens += 1
        now = datetime.now(UTC).replace(tzinfo=None)
        seen = (first[0], first[1], first[2] or 0)
        if first != again:
            wrong.append(f"one connection saw {first}, then {again}")
        if any(one < other for one, other in zip(seen, before, strict=True)):
            wrong.append(f"{seen} after {before}")
        before = seen
        if first[3] is not None:
            ages.append((now - first[3]).total_seconds())
    said = {"version": duckdb.__version__, "opens": opens, "errors": errors, "wrong": wrong, "ages": ages, "generation": before[0]}  # fmt: skip
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
