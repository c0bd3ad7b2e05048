# SPDX-License-Identifier: Apache-2.0
"""A published file that somebody changed all the same is noticed by the next command, and put right by a query."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest


@pytest.fixture
def changed(lab):
    """A home of two bars, one of which somebody with every right took out of the published file."""
    lab.write_bars("AAA.csv", [(date(2024, 6, day), 10, 12, 9, 10) for day in (12, 13)])
    lab.refresh("eod")
    file = lab.home.public_file.resolve()
    file.chmod(0o644)
    with duckdb.connect(str(file)) as connection:
        connection.execute("delete from raw.metastock_bars where date = '2024-06-12'")
    file.chmod(0o444)
    return lab


def test_a_query_publishes_anew_before_it_answers(changed):
    assert changed.rows("select count(*) from eod") == [(1,)]
    done = changed.ttapi("sql", "select count(*) as n from eod")
    assert (done.returncode, done.stdout) == (0, "n\n2\n")
    assert f"{changed.home.public_file} was changed since it was published" in done.stderr
    again = changed.ttapi("sql", "select count(*) as n from eod")
    assert (again.stdout, "was changed" in again.stderr) == ("n\n2\n", False)


def test_a_refresh_publishes_anew_though_nothing_is_stale(changed):
    assert changed.ttapi("refresh", "eod").returncode == 0
    assert changed.rows("select count(*) from eod") == [(2,)]


def test_who_refreshes_nothing_is_told_and_so_is_who_looks(changed):
    done = changed.ttapi("sql", "--no-refresh", "select count(*) as n from eod")
    assert (done.returncode, done.stdout) == (0, "n\n1\n")
    assert "was changed since it was published" in done.stderr
    assert "was changed since it was published" in changed.ttapi("status").stderr
    found = changed.ttapi("doctor")
    assert "published-differs" in found.stdout


def test_what_nobody_changed_is_not_published_anew(lab):
    lab.refresh("calendar")
    before = lab.home.public_file.resolve()
    assert lab.ttapi("sql", "select 1").returncode == 0
    assert lab.home.public_file.resolve() == before
    (lab.home.live / "published.json").unlink()
    assert lab.ttapi("sql", "select 1").returncode == 0
    assert lab.home.public_file.resolve() == before
