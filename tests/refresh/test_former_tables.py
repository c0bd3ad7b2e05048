# SPDX-License-Identifier: Apache-2.0
"""Which table a dataset had at an instant, where it was begun anew with other columns since."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest

from ttapi.models.as_of import AsOf
from ttapi.refresh import request
from ttapi.store.schema import FormerTable


@pytest.mark.parametrize(
    ("at", "table"),
    [("11:59:59", "x_v1"), ("12:00", "x_v2"), ("12:59:59", "x_v2"), ("13:00", None)],
)
def test_a_table_stands_until_the_instant_another_took_its_place(monkeypatch, at, table):
    former = [FormerTable(f"x_v{n}", datetime(2024, 6, 14, 11 + n), {}) for n in (1, 2)]
    snapshot = SimpleNamespace(cursor=lambda: None, close=lambda: None)
    monkeypatch.setattr(request, "open_snapshot", lambda _: snapshot)
    monkeypatch.setattr(request, "former_tables", lambda _: {"raw.x": former, "raw.y": former})
    monkeypatch.setattr(request, "_former", lambda resource, kept: (resource, kept.table))
    offers = {"raw.x": SimpleNamespace(resource="x")}
    environment = SimpleNamespace(home=None, resources=offers)
    as_of = AsOf(datetime.fromisoformat(f"2024-06-14T{at}+00:00"))
    expected = {} if table is None else {"raw.x": ("x", table)}
    assert request._former_resources(environment, as_of) == expected
