# SPDX-License-Identifier: Apache-2.0
"""Text cut into pieces, statements and entries: nothing lost, and as the engine cuts it."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.sqltext import (
    entries_of,
    first_words,
    is_blank,
    is_command,
    is_complete,
    split_statements,
    tokenize,
    without_end,
)

FRAGMENTS = [
    "select", " ", "\n", "1", "1.5e3", "'a;b'", "'it''s'", "E'a\\';b'", '"x;""y"', "$$a;b$$", "$q$ $$; $q$",
    "-- note;\n", "/* a /* b; */ c */", ";", ",", "(", ")", "eod", "::", "$1", "a$b", ".", "'", '"', "$$", "/*", "--", "\\", "é",
]  # fmt: skip
sql_like = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
LITERALS = ["1", "'a;b'", "'it''s'", "E'a\\';b'", '1 as "x;""y"', "$$a;b$$", "$q$ $$; $q$"]
statement = st.tuples(
    st.sampled_from(["", " ", "\n", "-- note;\n", "/* a /* b; */ c */ "]),
    st.sampled_from(["select ", "select\n", "values /* ; */ "]),
    st.sampled_from(LITERALS),
    st.sampled_from([";", " ;", " -- end;\n;", ";;"]),
).map(
    lambda parts: (
        f"{parts[0]}{parts[1]}({parts[2]}){parts[3]}"
        if "as" not in parts[2]
        else f"{parts[0]}select {parts[2]}{parts[3]}"
    )
)


@given(st.one_of(sql_like, st.text(max_size=60)))
def test_pieces_and_statements_together_are_the_text(text):
    assert "".join(piece.text for piece in tokenize(text)) == text
    assert "".join(split_statements(text)) == text
    assert [piece.start for piece in tokenize(text)] == [
        sum(len(p.text) for p in list(tokenize(text))[:n]) for n in range(len(list(tokenize(text))))
    ]


@given(st.lists(statement, min_size=1, max_size=4))
def test_statements_are_as_many_as_the_engine_finds(statements):
    text = "".join(statements)
    with duckdb.connect() as connection:
        assert len(split_statements(text)) == len(connection.extract_statements(text))


@given(sql_like)
def test_a_complete_text_stays_complete_behind_a_statement(text):
    if is_complete(text) and not is_blank(text):
        assert is_complete(f"select 1; {text}")
        assert all(is_complete(one) or is_blank(one) for one in split_statements(text))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("select 1;", True),
        ("select 1", False),
        ("select 1; -- done", True),
        ("select ';", False),
        ("select ';'", False),
        ("select ';';", True),
        ("select $$;", False),
        ("select $a$;$a$;", True),
        ("select $$;$$;", True),
        ("select 'a''", False),
        ("select 'a''';", True),
        ("select E'\\';", False),
        ("select E'\\'';", True),
        ('select ";', False),
        ("/* ;", False),
        ("/* /* */ ;", False),
        ("-- only a comment", True),
        ("select 1; select 2", False),
        ("", True),
        (";", True),
        ("select $1;", True),
    ],
)
def test_a_statement_ends_at_its_semicolon(text, answer):
    assert is_complete(text) is answer


def test_entries_are_dot_commands_and_statements_in_order():
    script = (
        ".mode csv\nselect 1; select\n.5;\n\\d eod\n-- note\n.tables\nselect '\n.x\n';\nselect 2"
    )
    assert [(e.is_command, e.text.strip()) for e in entries_of(script)] == [
        (True, ".mode csv"),
        (False, "select 1;"),
        (False, "select\n.5;"),
        (True, "\\d eod"),
        (True, ".tables"),
        (False, "select '\n.x\n';"),
        (False, "select 2"),
    ]


def test_small_questions():
    assert is_command(" .tables") and is_command("\\dt") and is_command("\\?")
    assert not is_command(".5 + 1") and not is_command("select 1")
    assert without_end(" /* a */ select 1 -- b\n ; ") == "select 1"
    assert without_end(" ; ") == ""
    assert first_words("/* x */ EXPLAIN\n Refresh select 1", 2) == ["explain", "refresh"]
