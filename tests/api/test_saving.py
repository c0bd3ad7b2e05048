# SPDX-License-Identifier: Apache-2.0
"""What a query is written as when it is saved as a table: the views it reads stand in front of it."""

from __future__ import annotations

from types import SimpleNamespace

from ttapi.api.saving import SaveRequest, _table_texts


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
