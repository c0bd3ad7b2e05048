# SPDX-License-Identifier: Apache-2.0
"""What follows the name of a dot-command: switches, numbers, words."""

from __future__ import annotations

import pytest

from ttapi.cli.shell.dot.command import counted, switched, words_in
from ttapi.errors import UsageError


@pytest.mark.parametrize("now", [True, False])
def test_a_switch_without_a_word_turns_the_other_way(now):
    assert switched(" ", ".timer", now=now) is not now
    assert (switched("ON", ".timer", now=now), switched("off", ".timer", now=now)) == (True, False)
    with pytest.raises(UsageError, match="neither on nor off"):
        switched("2", ".timer", now=now)


def test_a_number_may_have_its_thousands_marked():
    told = [counted(text, ".maxrows") for text in ("0", " 1,000 ", "1_000")]
    assert told == [0, 1000, 1000]
    for text in ("", "-1", "1.5", "many"):
        with pytest.raises(UsageError, match="is no number"):
            counted(text, ".maxrows")


def test_words_are_as_many_as_the_command_takes():
    assert words_in("'a b' c", ".x", least=2, most=2) == ["a b", "c"]
    for text in ("a", "a b c", "'a b"):
        with pytest.raises(UsageError):
            words_in(text, ".x", least=2, most=2)
