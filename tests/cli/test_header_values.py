# SPDX-License-Identifier: Apache-2.0
"""A header that says what cannot be leaves out that one model, named with file and line; the rest answers."""

from __future__ import annotations

import pytest

WRONG = {
    "ttl": ("-- kind: table\n-- ttl: sevendays\n", 2, "ttl: 'sevendays' is no duration"),
    "ttl_beyond": ("-- kind: table\n-- ttl: 99999999999999999d\n", 2, "ttl: '99999999999999999d' is no duration"),
    "private": ("-- kind: table\n-- private: yes\n", 2, "private: 'yes' is neither"),
    "kind": ("-- kind: materialized\n", 1, "kind 'materialized' does not belong in derived/"),
    "check": ("-- kind: table\n-- check: positive(n)\n", 2, "unknown check 'positive(n)'"),
    "builder": ("-- kind: table\n-- builder: no.such\n", 2, "builder 'no.such' is no importable module"),
    "field": ("-- kind: table\n-- tll: 1d\n", 2, "unknown header field 'tll'"),
    "incremental": ("-- kind: table\n-- incremental: symbol\n", 3, "incremental: 'symbol' is no column"),
    "grain": ("-- kind: table\n-- grain: symbol\n-- check: unique(grain)\n", 4, "grain: 'symbol' is no column"),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(make_lab, tmp_path_factory):
    """A home with a model of each mistake."""
    lab = make_lab(tmp_path_factory.mktemp("headers"))
    for name, (header, _, _) in WRONG.items():
        body = "select count(*)::bigint as n from derived.calendar\n"
        lab.write_model(f"derived/wrong_{name}.sql", header + body)
    lab.write_model("views/held_days.sql", "select count(*)::bigint as n -- days\nfrom calendar\n")
    return lab


def test_the_rest_answers_and_each_is_named_once(home):
    done = home.ttapi("sql", "select n > 0 as held from held_days", "--csv")
    assert (done.returncode, done.stdout) == (0, "held\ntrue\n")
    told = [line for line in done.stderr.splitlines() if "left out" in line]
    for name, (_, line, message) in WRONG.items():
        at = f"sql/derived/wrong_{name}.sql:{line}:" if line else f"sql/derived/wrong_{name}.sql"
        (found,) = [one for one in told if f"wrong_{name}.sql" in one]
        assert at in found
        assert message in found


@pytest.mark.parametrize("command", [["doctor"], ["status"]], ids=lambda c: c[0])
def test_each_is_named_to_who_looks_for_what_is_wrong(home, command):
    assert home.ttapi("sql", "select 1 from held_days").returncode == 0
    done = home.ttapi(*command)
    text = " ".join((done.stdout + done.stderr).split())
    assert [name for name in WRONG if f"wrong_{name}.sql" not in text] == []
