# SPDX-License-Identifier: Apache-2.0
"""Which files may hold a symbol: those whose name or bytes have it as a word, and those nobody can search."""

from __future__ import annotations

import gzip

import pytest

from ttapi.sources.folder import files_naming, open_tree, read_all

FILES = {
    "SPY.csv": b"no word of it",
    "spy.d/x.csv": b"nor here",
    "all.csv": b"AAPL,1\nBRK/B,2\nspy,3\n",
    "words.txt": b"SPYG,1\nXSPY,2\n",
    "other.csv": b"QQQ,1\nB,2\n",
    "wide.csv": "QQQ".encode("utf-16"),
    "packed.csv": gzip.compress(b"QQQ"),
    "sheet.xlsx": b"QQQ",
    "table.parquet": b"PAR1QQQ",
    "empty.csv": b"",
}
ALWAYS = {"wide.csv", "packed.csv", "sheet.xlsx", "table.parquet"}


@pytest.fixture
def named(tmp_path):
    for name, content in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    tree = open_tree(tmp_path, lambda _: True, read_all)

    def ask(*symbols):
        found = [unit.key for unit in files_naming(tree, tree.units(), frozenset(symbols))]
        assert found == sorted(found)
        return set(found) - ALWAYS if set(found) >= ALWAYS else found

    yield ask
    tree.close()


def test_a_symbol_is_a_word_of_the_name_or_the_content_in_whatever_case(named):
    assert named("SPY") == {"SPY.csv", "spy.d/x.csv", "all.csv"}
    assert named("spy") == named("SPY")
    assert named("QQQ") == {"other.csv"}
    assert named("NOSUCH") == set()


def test_of_a_class_of_shares_the_longest_word_is_looked_for(named):
    assert named("BRK.B") == {"all.csv"}
    assert named("B.BRK") == {"all.csv"}


def test_a_symbol_without_letters_may_stand_anywhere(named):
    assert named("$$$") == set(FILES) - ALWAYS
    assert named("$$$", "SPY") == set(FILES) - ALWAYS


def test_many_symbols_are_looked_for_like_few(named):
    many = [f"ZZ{n}" for n in range(40)]
    assert named(*many, "QQQ") == {"other.csv"}
    assert named(*many) == set()


def test_a_file_that_cannot_be_read_may_hold_anything(tmp_path):
    (tmp_path / "gone.csv").write_bytes(b"QQQ")
    tree = open_tree(tmp_path, lambda _: True, read_all)
    units = tree.units()
    (tmp_path / "gone.csv").unlink()
    assert files_naming(tree, units, frozenset({"SPY"})) == units
