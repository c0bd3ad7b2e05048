# SPDX-License-Identifier: Apache-2.0
"""A model gives each column a name of its own: the engine keeps one of two that are equal."""

from __future__ import annotations

import pytest

EQUAL = {
    "case": ("select 1::integer as px, 2::integer as PX", "px and PX, which differ in case only"),
    "twice": ("select 1::integer as a, 2::integer as a", "a twice"),
    "joined": ("select c.*, d.* from calendar as c join calendar as d on c.date = d.date", "market twice"),
}  # fmt: skip


@pytest.mark.parametrize("folder", ["views", "derived"])
@pytest.mark.parametrize("name", EQUAL)
def test_equal_names_are_refused_with_file_and_line(lab, folder, name):
    sql, told = EQUAL[name]
    sql = sql.replace("calendar as", "derived.calendar as") if folder == "derived" else sql
    lab.write_model(f"{folder}/mine.sql", f"-- about: mine\n{sql}\n")
    done = lab.ttapi("sql", "select 1 as one", "--csv")
    assert (done.returncode, done.stdout) == (0, "one\n1\n")
    assert f"sql/{folder}/mine.sql:2: it gives the columns {told}" in done.stderr


def test_an_answer_shows_them_as_the_engine_does(lab):
    done = lab.ttapi("sql", "--no-refresh", "select 1 as px, 2 as PX, 3 as px", "--csv")
    assert done.stdout == "px,PX,px\n1,2,3\n"
