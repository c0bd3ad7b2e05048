# SPDX-License-Identifier: Apache-2.0
"""Which table a dataset had at an instant, where it was begun anew with other columns since."""

from __future__ import annotations

from datetime import datetime

import pytest

from ttapi.refresh.request import tables_then
from ttapi.store.schema import FormerTable


@pytest.mark.parametrize(
    ("at", "table"),
    [("11:59:59", "x_v1"), ("12:00", "x_v2"), ("12:59:59", "x_v2"), ("13:00", None)],
)
def test_a_table_stands_until_the_instant_another_took_its_place(at, table):
    former = [FormerTable(f"x_v{n}", datetime(2024, 6, 14, 11 + n), {}) for n in (1, 2)]
    then = tables_then({"raw.x": former}, datetime.fromisoformat(f"2024-06-14T{at}"))
    assert {name: one.table for name, one in then.items()} == ({"raw.x": table} if table else {})
