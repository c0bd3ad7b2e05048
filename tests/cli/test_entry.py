# SPDX-License-Identifier: Apache-2.0
"""Which arguments are read without Typer, and which go its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttapi.cli.entry import plain_shell, plain_status


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("status", (None, None, False)),
        ("datasets", (None, None, False)),
        ("status --json", (None, None, True)),
        ("status eod", (None, "eod", False)),
        ("status --json eod", (None, "eod", True)),
        ("status eod --json", (None, "eod", True)),
        ("--home /h status", (Path("/h"), None, False)),
        ("--home /h status eod --json", (Path("/h"), "eod", True)),
        ("", None),
        ("statuses", None),
        ("status --help", None),
        ("status eod returns", None),
        ("status --watch", None),
        ("--home status", None),
        ("--home /h", None),
        ("sql status", None),
    ],
)
def test_a_plain_status_is_read_by_itself(words, expected):
    assert plain_status(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sql", (None,)),
        ("--home /h sql", (Path("/h"),)),
        ("sql --csv", None),
        ("--home sql", None),
        ("--home /h sql -c x", None),
        ("--other /h sql", None),
        ("", None),
    ],
)
def test_a_plain_shell_is_read_by_itself(words, expected):
    assert plain_shell(words.split()) == expected
