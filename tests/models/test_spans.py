# SPDX-License-Identifier: Apache-2.0
"""Stretches of a text: which lies within which, to the letter."""

from __future__ import annotations

import pytest

from ttapi.models.sql_edit import TextSpan


@pytest.mark.parametrize(
    ("start", "end", "is_within"),
    [(3, 7, True), (3, 6, True), (4, 7, True), (5, 5, True), (2, 7, False), (3, 8, False), (7, 9, False), (0, 3, False), (0, 9, False)],
)  # fmt: skip
def test_a_span_lies_within_another_up_to_both_of_its_ends(start, end, is_within):
    assert TextSpan(start, end).is_within(TextSpan(3, 7)) == is_within
