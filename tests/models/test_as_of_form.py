# SPDX-License-Identifier: Apache-2.0
"""A header asks for an as-of form: the macro is made of the definition, or it is said why not."""

from __future__ import annotations

import pytest

from ttapi.errors import ModelError
from ttapi.models.model import form_asked_for, read_model

BARS = ["AAA,D,20240612,000000,1,2,1,2,10,0", "AAA,D,20240613,000000,2,3,2,3,10,0"]
TOP = "-- as_of: {}\n-- grain: symbol\n{}"
SELECT = "select e.symbol, max(e.close) as top -- USD\nfrom eod as e\ngroup by e.symbol"
WITHOUT = {
    "top(as_of, symbol)": SELECT,
    "top_asof(symbol, as_of)": SELECT,
    "top_asof(as_of, symbol, date)": SELECT,
}
NO_FORM = {
    "column 'day' that is known": ("top_asof(as_of, day)", SELECT),
    "stands without its relation": ("top_asof(as_of, symbol)", SELECT.replace("e.symbol", "symbol")),
    "which is of this moment": ("top_asof(as_of, symbol)", SELECT.replace("max(e.close)", "now()::timestamp")),
    "depends on what was known when": (
        "top_asof(as_of, symbol)",
        "select c.market as symbol, max(c.date) as top from calendar as c group by c.market",
    ),
}  # fmt: skip


def test_a_form_of_the_users_own_answers_as_of_a_day_and_in_lower_case(lab):
    lab.write_bars("AAA.csv", BARS)
    lab.write_model(
        "views/top.sql", TOP.format("top_asof(as_of, symbol): The dearest close.", SELECT)
    )
    lab.write_model(
        "views/more.sql", "select t.top * 2 as x from top_asof('2024-06-12', 'AAA') as t"
    )
    assert lab.refresh().broken == ()
    assert lab.rows("select * from top_asof('2024-06-12', 'aaa')") == [("AAA", 2.0)]
    assert lab.rows("select * from top_asof('2024-06-13', 'AAA')") == [("AAA", 3.0)]
    assert lab.rows("select x from more") == [(4.0,)]
    about = "select comment from duckdb_functions() where function_name = 'top_asof'"
    assert lab.rows(about) == [("The dearest close.",)]
    behind = "select distinct upstream_relation from lineage where relation = 'top_asof'"
    assert lab.rows(behind) == [("eod_asof",)]


def test_a_query_as_of_a_day_goes_through_the_form(lab):
    lab.write_bars("AAA.csv", BARS)
    lab.write_model("views/top.sql", TOP.format("top_asof(as_of, symbol)", SELECT))
    done = lab.ttapi(
        "sql", "--as-of", "2024-06-12", "--csv", "select top from top where symbol = 'AAA'"
    )
    assert (done.returncode, done.stdout) == (0, "top\n2.0\n")
    assert "top -> top_asof" in done.stderr


@pytest.mark.parametrize("header", WITHOUT)
def test_a_header_that_is_no_such_call_is_refused(tmp_path, header):
    file = tmp_path / "sql" / "views" / "top.sql"
    file.parent.mkdir(parents=True)
    file.write_text(TOP.format(header, WITHOUT[header]))
    with pytest.raises(ModelError, match="no as-of form of top") as refused:
        form_asked_for(read_model(file, tmp_path / "sql", is_bundled=False))
    assert "top_asof(as_of, symbol)" in refused.value.hint


@pytest.fixture(scope="module")
def without_form(make_lab, tmp_path_factory):
    """A home with a relation of each kind that has no form, and what a refresh says of each by its file."""
    lab = make_lab(tmp_path_factory.mktemp("without"))
    lab.write_bars("AAA.csv", BARS)
    for number, (header, select) in enumerate(NO_FORM.values()):
        named = header.replace("top_asof", f"top{number}_asof")
        lab.write_model(f"views/top{number}.sql", TOP.format(named, select))
    return lab, {error.file: error.message for error in lab.refresh("eod").broken}


@pytest.mark.parametrize("why", NO_FORM)
def test_a_relation_that_has_no_form_keeps_its_rows_and_the_form_is_left_out(without_form, why):
    lab, errors = without_form
    name = f"top{list(NO_FORM).index(why)}"
    assert len(errors) == len(NO_FORM)
    assert why in errors[f"sql/views/{name}.sql"]
    assert len(lab.rows(f"select * from {name}")) > 0
    form = f"select 1 from duckdb_functions() where function_name = '{name}_asof'"
    assert lab.rows(form) == []
