# SPDX-License-Identifier: Apache-2.0
"""Model files into a graph: order, layers, and every way a file can be wrong."""

from __future__ import annotations

import pytest

from ttapi.config import bundled_folder
from ttapi.errors import ModelError
from ttapi.models.graph import ModelFolder, load_graph

RAW = ["raw.bars"]


@pytest.fixture
def folder(tmp_path):
    sql = tmp_path / "sql"
    sql.mkdir()

    def write(**files):
        for name, text in files.items():
            path = sql / (name.replace("__", "/") + ".sql")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        graph = load_graph([ModelFolder(sql)], RAW)
        for error in graph.broken.values():
            raise error
        return graph

    return write


def refused(folder, **files):
    with pytest.raises(ModelError) as caught:
        folder(**files)
    return str(caught.value)


def test_build_order_has_upstreams_first(folder):
    graph = folder(
        views__top="select m.x::integer as x from derived.middle as m",
        derived__middle="select b.x::integer as x from staged.base as b",
        staged__base="select b.x::integer as x from raw.bars as b",
    )
    assert list(graph.models) == ["staged.base", "derived.middle", "top"]
    assert graph.ancestors(["top"]) == {"top", "derived.middle", "staged.base", "raw.bars"}


def test_macros_are_upstreams_where_they_are_called(folder):
    graph = folder(
        macros__double="create or replace macro double(x) as x * 2",
        macros__rows_of="create or replace macro rows_of(k) as table select b.x from raw.bars as b where b.x = k",
        views__v="select double(r.x)::integer as x from rows_of(3) as r",
    )
    assert graph.upstreams["v"] == {"double", "rows_of"}
    assert graph.upstreams["rows_of"] == {"raw.bars"}


def test_a_cte_is_no_upstream_but_what_it_reads_is(folder):
    graph = folder(
        views__v="with bars as (select * from raw.bars) select b.x::integer as x from bars as b"
    )
    assert graph.upstreams["v"] == {"raw.bars"}


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        (
            {"views__v": "select 1::integer as x\nfrom eodd"},
            "sql/views/v.sql:2",
            "'eodd' is no relation",
        ),
        (
            {"staged__s": "select 1::integer as x from v", "views__v": "select 1::integer as x"},
            "staged/s.sql:1",
            "a step to the right",
        ),
        ({"views__a": "select x from b", "views__b": "select x from a"}, "views/", "in a circle: "),
        ({"views__v": "selec 1"}, "views/v.sql:1", "cannot be read"),
        (
            {"views__v": "-- about: x\n-- kind: vieww\nselect 1 as x"},
            "views/v.sql",
            "'vieww' does not belong in views/",
        ),
        (
            {"views__v": "-- abuot: x\nselect 1 as x"},
            "views/v.sql:1",
            "unknown header field 'abuot'",
        ),
        ({"views__v": "-- about: nothing follows\n"}, "views/v.sql", "holds no statement"),
        (
            {"views__v": "select 1 as x; select 2 as x"},
            "views/v.sql:1",
            "one statement; this one holds 2",
        ),
        ({"views__v": "drop table eod"}, "views/v.sql:1", "a view is a SELECT"),
        ({"views__Bad-Name": "select 1 as x"}, "views/Bad-Name.sql", "cannot be a relation"),
        (
            {"elsewhere__v": "select 1 as x"},
            "elsewhere/v.sql",
            "lies in one of staged/, derived/, views/, macros/",
        ),
        ({"views__v": "-- check: positive(x)\nselect 1 as x"}, "views/v.sql", "unknown check"),
        (
            {"derived__t": "-- builder: ttapi.models.nowhere\nselect 1 as x"},
            "derived/t.sql",
            "no importable module",
        ),
        (
            {"macros__m": "create macro other(x) as x"},
            "macros/m.sql:1",
            "create or replace macro m(",
        ),
        (
            {"macros__m": "create macro m(x integer) as x"},
            "macros/m.sql:1",
            "older clients refuse typed parameters",
        ),
        (
            {"macros__m": "create macro m(k) as table\nselect x from raw.bars as b where b.x = k"},
            "macros/m.sql:2",
            "'x' is not",
        ),
        (
            {"views__v": "select list_transform([1], lambda x: x + 1) as x"},
            "views/v.sql:1",
            "a lambda",
        ),
        (
            {"views__v": "select\n    lag(b.x, 2) over (order by b.x) as x\nfrom raw.bars as b"},
            "views/v.sql:2",
            "lag with an offset",
        ),
        (
            {"views__v": "select\n    lead(b.x, 2) over (order by b.x) as x\nfrom raw.bars as b"},
            "views/v.sql:2",
            "lead with an offset",
        ),
        (
            {"views__v": "select date_trunc('month', b.d) as x from raw.bars as b"},
            "views/v.sql:1",
            "date_trunc must be cast back",
        ),
        (
            {"views__v": "select b.d at time zone 'UTC' as x from raw.bars as b"},
            "views/v.sql:1",
            "at time zone",
        ),
        (
            {"views__v": "select 1 as one,\n    b.d::timestamp_ns as x from raw.bars as b"},
            "views/v.sql:",
            "TIMESTAMP_NS cannot be read by every client",
        ),
        (
            {"views__v": "select try(ln(b.x)) as x from raw.bars as b"},
            "views/v.sql:1",
            "cannot be stored",
        ),
        (
            {"views__v": "select interval 1 day * b.x as x from raw.bars as b"},
            "views/v.sql:1",
            "an interval times a number",
        ),
        (
            {"views__v": "select geomean(b.x) over () as x from raw.bars as b"},
            "views/v.sql:1",
            "over a window",
        ),
        ({"views__v": "select * from 'prices.csv'"}, "views/v.sql:1", "cannot read a file"),
        (
            {"views__v": "select * from read_parquet('a.parquet')"},
            "views/v.sql:1",
            "cannot read a file",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_line(folder, files, place, words):
    message = refused(folder, **files)
    assert place in message
    assert words in message


@pytest.mark.parametrize("function", ["lag", "lead"])
def test_a_neighbour_without_an_offset_is_portable(folder, function):
    graph = folder(views__v=f"select {function}(b.x) over (order by b.x) as x from raw.bars as b")
    assert list(graph.models) == ["v"]


def test_an_unknown_relation_has_a_suggestion(folder):
    assert "did you mean raw.bars?" in refused(
        folder, views__v="select b.x::integer as x from raw.bar as b"
    )


def test_two_files_cannot_define_one_relation(tmp_path):
    for name in ("one", "two"):
        path = tmp_path / name / "views" / "v.sql"
        path.parent.mkdir(parents=True)
        path.write_text("select 1::integer as x")
    graph = load_graph([ModelFolder(tmp_path / "one"), ModelFolder(tmp_path / "two")], RAW)
    assert graph.models["v"].file == "one/views/v.sql"
    (error,) = graph.broken.values()
    assert str(error).startswith("two/views/v.sql:1: v is already defined by one/views/v.sql")


def test_a_wrong_model_is_left_out_with_its_readers_and_nothing_else(tmp_path):
    sql = tmp_path / "sql" / "views"
    sql.mkdir(parents=True)
    (sql / "good.sql").write_text("select b.x::integer as x from raw.bars as b")
    (sql / "wrong.sql").write_text("select from where")
    (sql / "reader.sql").write_text("select w.x::integer as x from wrong as w")
    (sql / "reader_of_reader.sql").write_text("select r.x::integer as x from reader as r")
    (sql / "ring_a.sql").write_text("select b.x::integer as x from ring_b as b")
    (sql / "ring_b.sql").write_text("select a.x::integer as x from ring_a as a")
    graph = load_graph([ModelFolder(tmp_path / "sql")], RAW)
    assert list(graph.models) == ["good"]
    assert {name: (error.file, error.line) for name, error in graph.broken.items()} == {
        name: (f"sql/views/{name}.sql", 1)
        for name in ("wrong", "reader", "reader_of_reader", "ring_a", "ring_b")
    }
    assert "reader reads wrong, which is left out" in str(graph.broken["reader"])
    assert "circle" in str(graph.broken["ring_a"])


def test_a_graph_without_a_model_is_without_its_readers(folder):
    graph = folder(
        views__top="select m.x::integer as x from middle as m",
        views__middle="select b.x::integer as x from raw.bars as b",
        views__other="select b.x::integer as x from raw.bars as b",
    )
    error = ModelError("the engine refuses it", file="sql/views/middle.sql")
    less = graph.without({"middle": error})
    assert (list(less.models), set(less.broken)) == (["other"], {"middle", "top"})
    assert less.upstreams == {"other": {"raw.bars"}}


@pytest.mark.parametrize("body", ["select b.x from raw.bars as b", "select * from raw.bars as b"])
def test_bundled_models_cast_and_name_every_output_column(tmp_path, body):
    path = tmp_path / "sql" / "views" / "v.sql"
    path.parent.mkdir(parents=True)
    path.write_text(body)
    with pytest.raises(ModelError):
        load_graph([ModelFolder(tmp_path / "sql", is_bundled=True)], RAW)


def test_every_bundled_model_says_what_it_is_and_explains_its_columns():
    from ttapi.refresh.installation import migrated_tables
    from ttapi.sources.dxlink.live import LIVE_TYPES

    roots = {*migrated_tables(), *(f"raw.{live.resource.table}" for live in LIVE_TYPES)}
    graph = load_graph([ModelFolder(bundled_folder("sql"), is_bundled=True)], roots)
    assert all(model.about for model in graph.models.values())
    assert all(model.grain for model in graph.models.values() if model.kind == "table")
