# SPDX-License-Identifier: Apache-2.0
"""A window from the middle of five million ordered rows: sorted for itself, and read where the order was stored."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import duckdb

from ttapi.store.engine import connect_snapshot
from ttapi.store.reader import SortedWindows, select_rows

ROWS = 5_000_000
MIDDLE = range(ROWS // 2, ROWS // 2 + 100)
ORDERED = "select * from main.bars order by close desc nulls last, symbol, date"
MADE = """
create table bars as
select 'S' || lpad((i % 500)::varchar, 3, '0') as symbol, date '1990-01-01' + (i // 500)::int as date,
    10 + hash(i) % 50000 / 100 as open, 10 + hash(i + 1) % 50000 / 100 as high,
    10 + hash(i + 2) % 50000 / 100 as low, 10 + hash(i + 3) % 50000 / 100 as close,
    (hash(i + 4) % 1000000)::bigint as volume, 'synthetic' as source, timestamp '2024-06-14 20:00:00' as known_at
from range(?) as t(i)
"""


def seconds(work, times):
    """Of each run of `work`."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def main(times=5):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "market.000001.1.duckdb")
        with closing(duckdb.connect(str(file))) as connection:
            connection.execute(MADE, [ROWS])
        with closing(connect_snapshot(file)) as connection, closing(SortedWindows(file)) as windows:
            values = (len(MIDDLE), MIDDLE.start)

            def alone():
                return select_rows(connection, f"{ORDERED} limit ? offset ?", values).table

            def stored():
                return windows.window(ORDERED, (), MIDDLE, 600.0).table

            assert windows.window(ORDERED, (), MIDDLE, 600.0) is None, (
                "the first is sorted for itself"
            )
            (first,) = seconds(stored, 1)
            assert stored() == alone()
            size = sum(one.stat().st_size for one in Path(folder).glob("*-1.*"))
            each, before = seconds(stored, 20), seconds(alone, times)
    print(f"sorted for one window    {statistics.median(before):8.3f} s")
    print(f"stored, the second one  {first:8.3f} s, {size / 1e6:.0f} MB")
    print(f"stored, each after it    {statistics.median(each):8.3f} s, worst {max(each):.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
