# SPDX-License-Identifier: Apache-2.0
"""Over two hundred statements as people write them: each runs, and each resolves to what it depends on.

The golden file is read as a diff: `dataset: keys | first date .. last date`, `*` where all of them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ttapi.models.barriers import ROW_BY_ROW
from ttapi.models.resolve import resolve
from ttapi.refresh.coverage import name_scope, raw_demands
from ttapi.store.reader import Reader

SHAPES = Path(__file__).resolve().parents[2] / "fixtures" / "queries" / "shapes.sql"
BOUND = {"symbol": "AAPL"}


def told(demand):
    """A demand in a line."""
    low, high = demand.span
    last = high - timedelta(days=1) if high else None
    keys = "*" if demand.keys is None else ",".join(sorted(demand.keys)) or "nothing"
    span = f"{low or ''}..{last or ''}" if low or last else "*"
    return f"{keys} | {span}"


@pytest.fixture(scope="module")
def installation(template_home, lab_type, tmp_path_factory):
    lab = lab_type(template_home, tmp_path_factory.mktemp("shapes"))
    return lab.environment().datasets


@pytest.fixture(scope="module")
def reader(template_home):
    made = Reader(template_home)
    yield made
    made.close()


@pytest.fixture(scope="module")
def statements():
    # By hand: engines differ in the text they give a statement within a long one.
    lines = [line for line in SHAPES.read_text().splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip(" ;\n")]


def test_every_shape_resolves_to_what_it_depends_on(installation, statements, golden):
    names = name_scope(installation)
    lines = []
    for sql in statements:
        found = resolve(sql, names, bound=BOUND)
        demands = raw_demands(found.reads, installation)
        lines.append(sql)
        lines += [f"    {name}: {told(one)}" for name, one in sorted(demands.items())]
        lines += [f"    not resolved: {doubt}" for doubt in found.unresolved]
        lines += ["    reads nothing raw"] if not demands and not found.unresolved else []
    assert len(statements) >= 200
    golden("shapes.txt", "\n".join(lines) + "\n")


def test_every_shape_is_a_statement_the_engine_runs(reader, statements):
    for sql in statements:
        reader.run(
            sql, BOUND if "$symbol" in sql and not sql.startswith("prepare") else (), keep_rows=10
        )


def test_functions_taken_to_look_at_one_row_are_no_aggregates(reader):
    kinds = reader.run(
        "select lower(function_name) as name, list(distinct function_type) as kinds from duckdb_functions()"
        " where schema_name in ('main', 'pg_catalog') group by all"
    ).table.to_pylist()
    known = {row["name"]: set(row["kinds"]) for row in kinds}
    assert {name: known.get(name) for name in ROW_BY_ROW if known.get(name) != {"scalar"}} == {}
