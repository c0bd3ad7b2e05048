# SPDX-License-Identifier: Apache-2.0
"""What a query is written as when it is saved as a table: the views it reads stand in front of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ttapi.api.saving import SaveRequest, _refuse_name, _table_texts
from ttapi.errors import UsageError


def model(body, schema="main", kind="view"):
    return SimpleNamespace(body=body, schema=schema, kind=kind)


def test_views_of_main_are_written_out_each_behind_those_it_reads():
    graph = SimpleNamespace(
        models={
            "high": model("select l.top from low as l, derived.held as h"),
            "low": model("select top from twice(3), staged.bars\n"),
            "twice": model("(n) as table select n", kind="macro"),
            "derived.held": model("select 1 as one", "derived", "table"),
            "staged.bars": model("select 2 as two", "staged"),
        }
    )
    request = SaveRequest("best", is_table=True)
    assert _table_texts(graph, "select top from high;", request) == {
        "derived": (
            "with\n"
            "low as (\nselect top from twice(3), staged.bars\n),\n"
            "high as (\nselect l.top from low as l, derived.held as h\n)\n"
            "select answer.*\nfrom (\nselect top from high\n) as answer"
        ),
        "views": "select t.*\nfrom derived.best as t",
    }
    assert _table_texts(graph, "select 1 as one", request)["derived"] == "select 1 as one"


@pytest.mark.parametrize("ttl", ["soon", "1", "", "-1d"])
def test_a_ttl_that_is_none_is_refused_before_anything_is_written(ttl):
    graph, database = SimpleNamespace(models={}), SimpleNamespace()
    with pytest.raises(UsageError):
        _refuse_name(database, graph, SaveRequest("best", is_table=True, ttl=ttl))
    assert _refuse_name(database, graph, SaveRequest("best", is_table=True, ttl="1d")) is None
