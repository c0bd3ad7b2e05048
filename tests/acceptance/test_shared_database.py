# SPDX-License-Identifier: Apache-2.0
"""A shared database in the hands of an old DuckDB client."""

from __future__ import annotations

import json

import pytest
from outside import run

pytestmark = pytest.mark.compat

READ = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
views = connection.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall()
counts = {f"{s}.{v}": connection.execute(f'select count(*) from "{s}"."{v}"').fetchone()[0] for s, v in views}
expirations = connection.execute("select count(*) from expirations(date '2024-06-14', 'SPX')").fetchone()[0]
print(json.dumps([counts, expirations]))
"""


@pytest.mark.parametrize("version", ["1.2.2", "1.4.4"])
def test_an_old_client_reads_every_view_of_a_shared_database(client_python, lab, version):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,1000,0"])
    lab.refresh()
    target = lab.data / "shared.duckdb"
    done = lab.ttapi("export", "--database", target)
    assert done.returncode == 0, done.stderr
    counts, expirations = json.loads(run(client_python(version), "-I", "-c", READ, target))
    assert counts["main.eod"] == 1
    assert counts["main.calendar"] == lab.rows("select count(*) from calendar")[0][0]
    assert expirations > 0
