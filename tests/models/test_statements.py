# SPDX-License-Identifier: Apache-2.0
"""Every kind of statement that DuckDB knows is resolved, or refused in words; none ends in a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.errors import QueryError
from ttapi.models.limits import NameScope
from ttapi.models.references import parse_statements, references_in
from ttapi.models.resolve import default_schema, resolve

KINDS = Path(__file__).resolve().parents[2] / "fixtures" / "queries" / "kinds.sql"
STATEMENTS = [line for line in KINDS.read_text().splitlines() if line and line[:2] != "--"]
NAMES = NameScope(
    {
        "eod": ("symbol", "date", "close"),
        "returns": ("symbol", "date"),
        "raw.metastock_bars": ("symbol",),
    }
)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_every_kind_of_statement_is_resolved_or_refused(sql):
    resolve(sql, NAMES)
    resolve(f"select 1; {sql}", NAMES)
    default_schema(sql)


@given(st.lists(st.sampled_from(" ".join(STATEMENTS).split()), max_size=8))
def test_words_in_any_order_are_resolved_or_refused(words):
    resolve(" ".join(words), NAMES)


def test_a_command_kept_as_text_reads_what_it_names():
    assert {read.relation for read in resolve("vacuum analyze eod", NAMES).reads} <= {"eod"}
    found = resolve("prepare p as select * from eod", NAMES)
    assert [read.relation for read in found.reads] == ["eod"]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select a\nfrom eod\nwhere", 'something is missing after "where", line 3'),
        ("select from", 'something is missing after "from", line 1'),
        ("select a b\nc from eod", 'at or near "c", line 2'),
        ("select 'abc", "a quote or a comment is not closed"),
    ],
)
def test_a_text_that_cannot_be_read_is_told_in_plain_words(sql, told):
    with pytest.raises(QueryError) as refused:
        parse_statements(sql)
    assert told in refused.value.message
    assert "<class" not in refused.value.message
    assert "SENTINEL" not in refused.value.message


def test_what_lasts_for_a_session_is_no_write():
    for sql in (
        "create temp table t as select 1",
        "create table memory.main.t as select 1",
        "create schema memory.zz",
        "create table own.main.t as select 1",
        "drop macro f",
    ):
        assert references_in(sql).writes == frozenset(), sql
