# SPDX-License-Identifier: Apache-2.0
"""One model file taken apart: header, statement, comments, checks and macro."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from ttapi.errors import ModelError
from ttapi.models.header import HeaderCheck, checks_in, split_header
from ttapi.models.model import column_comments, dataset_name, macro_parts, named_by, read_model
from ttapi.models.rebuild import check_sql


def test_a_header_ends_with_its_statement_whose_line_is_told():
    text = (
        "-- SPDX-License-Identifier: Apache-2.0\n"
        "-- about: One thing\n"
        "--   and another.\n"
        "-- check: not_null(a)\n"
        "-- check: unique(grain)\n"
        "-- a remark\n"
        "--   of two lines\n"
        "\n"
        "--   no more of the header\n"
        "select 1 as a -- one\n"
        "; -- the end\n"
    )
    fields, body, line = split_header(text, "v.sql")
    assert fields == {"about": "One thing and another.", "check": "not_null(a), unique(grain)"}
    assert (body, line) == ("select 1 as a -- one\n\n", 10)


@pytest.mark.parametrize(
    ("text", "line"), [("", 1), ("-- about: x\n\n", 2), ("-- about: x\n-- kind: view\n", 2)]
)
def test_a_file_without_a_statement_is_refused_at_its_last_line(text, line):
    with pytest.raises(ModelError, match="holds no statement") as refused:
        split_header(text, "v.sql")
    assert refused.value.line == line


def test_an_unknown_field_is_refused_at_its_line():
    with pytest.raises(ModelError, match="unknown header field 'abuot'") as refused:
        split_header("-- about: x\n-- abuot: y\nselect 1", "v.sql")
    assert refused.value.line == 2


def test_a_comment_behind_an_output_column_is_its_documentation():
    body = (
        "with x as (select 1 as b -- inner\n)\n"
        "select\n"
        "    x.a, -- the a\n"
        "    x.a::double as B, -- the last b, with a comma\n"
        '    x.c as "c" -- quoted\n'
        "    -- of nobody\n"
        "from x"
    )
    assert column_comments(body) == {
        "a": "the a",
        "b": "the last b, with a comma",
        "c": "quoted",
    }


def test_checks_are_read_and_written_the_same():
    found = checks_in("not_null(a, b), unique(grain),range(x, 0, 1e3)", "v.sql")
    assert found == (
        HeaderCheck("not_null", ("a", "b")),
        HeaderCheck("unique", ("grain",)),
        HeaderCheck("range", ("x", "0", "1e3")),
    )
    assert [str(check) for check in found] == [
        "not_null(a, b)",
        "unique(grain)",
        "range(x, 0, 1e3)",
    ]
    with pytest.raises(ModelError, match="unknown check 'positive"):
        checks_in("not_null(a), positive(x)", "v.sql")


@pytest.fixture
def model(tmp_path):
    def read(text, place="views/v.sql"):
        file = tmp_path / "sql" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return read_model(file, tmp_path / "sql", is_bundled=False)

    return read


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        (HeaderCheck("not_null", ("a", "b")), "select * from t where a is null or b is null"),
        (HeaderCheck("unique", ("a",)), "select a, count(*) as rows from t group by a having count(*) > 1"),
        (HeaderCheck("unique", ("grain",)), "select g, h, count(*) as rows from t group by g, h having count(*) > 1"),
        (HeaderCheck("range", ("x", "0", "1")), "select * from t where x < 0 or x > 1"),
    ],
)  # fmt: skip
def test_a_check_is_a_select_of_bad_rows(model, check, sql):
    assert check_sql(check, model("-- grain: g, h\nselect 1"), "t") == sql


def test_a_model_is_named_by_its_place(model):
    found = model("-- incremental: symbol through derived.x\n-- ttl: 1d\n-- private: true\nselect 1", "derived/t.sql")  # fmt: skip
    assert (found.name, found.schema, found.kind, found.qualified, found.stem) == ("derived.t", "derived", "table", "derived.t", "t")  # fmt: skip
    assert (found.incremental, found.through, found.ttl, found.is_private) == ("symbol", "derived.x", "1d", True)  # fmt: skip
    view = model("select 1")
    assert (view.name, view.qualified, view.incremental, view.through, view.is_private) == ("v", "main.v", None, None, False)  # fmt: skip
    assert [named_by(PurePath(path)) for path in ("views/v.sql", "derived/t.sql", "v.sql", "else/v.sql", "views/a/v.sql")] == ["v", "derived.t", None, None, None]  # fmt: skip
    assert (dataset_name("main", "v"), dataset_name("", "v"), dataset_name("raw", "v")) == ("v", "v", "raw.v")  # fmt: skip


def test_a_macro_has_its_parameters_and_their_defaults(model):
    scalar = macro_parts(model("create or replace macro m(A, b := 'x') as a + 1;", "macros/m.sql"))
    assert (scalar.parameters, scalar.defaults, scalar.is_table, scalar.body) == (("a", "b"), {"b": "'x'"}, False, "a + 1\n")  # fmt: skip
    rows = macro_parts(model("create macro m() as table\nselect 1", "macros/m.sql"))
    assert (rows.parameters, rows.is_table, rows.body) == ((), True, "select 1\n")


def test_another_text_is_another_model(model):
    assert model("select 1").fingerprint == model("select 1").fingerprint
    assert model("select 1").fingerprint != model("select 2").fingerprint
