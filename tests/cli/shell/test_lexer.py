# SPDX-License-Identifier: Apache-2.0
"""Colours: every character keeps its place, words are what the engine says they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pygments.token import Keyword, Name, String

from ttapi.cli.shell.names import ColumnInfo, DuckdbLexer, Function, Relation, SqlNames

CATALOG = SqlNames(
    relations={"eod": Relation("eod", "view", columns=(ColumnInfo("close", "DOUBLE"),))},
    functions={"sum": Function("sum", "aggregate", "sum(x)")},
    keywords=("select", "from", "close"),
)


@given(st.text(alphabet="aeslct ;'\"$-/*.\\\n\r\t1é", max_size=80))
def test_tokens_together_are_the_text_at_their_offsets(text):
    for catalog in (None, CATALOG):
        tokens = list(DuckdbLexer(lambda c=catalog: c).get_tokens_unprocessed(text))
        assert "".join(part for _, _, part in tokens) == text
        assert all(text[at : at + len(part)] == part for at, _, part in tokens)


def test_words_are_coloured_by_what_they_name():
    tokens = {
        text: token
        for _, token, text in DuckdbLexer(lambda: CATALOG).get_tokens_unprocessed(
            "SELECT sum(x), close, 'a' from eod"
        )
    }
    assert tokens["SELECT"] is Keyword
    assert tokens["sum"] is Name.Function
    assert tokens["eod"] is Name.Class
    assert tokens["x"] is Name
    assert tokens["close"] is Name
    assert tokens["'a'"] is String


def test_a_dot_command_is_no_sql():
    tokens = list(DuckdbLexer(lambda: CATALOG).get_tokens_unprocessed(".describe eod"))
    assert tokens[0] == (0, Keyword.Pseudo, ".describe")
    assert tokens[-1] == (10, Name.Class, "eod")
