# SPDX-License-Identifier: Apache-2.0
"""Dates as vendors write them: pivots, orders and what says nothing."""

from __future__ import annotations

from datetime import date

import pytest

from ttapi.sources.dates import DateOrder, find_order, is_zero, parse_date

DAY_FIRST = DateOrder(is_day_first=True)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20240614", date(2024, 6, 14)), ("080121", date(2008, 1, 21)), ("80121", date(2008, 1, 21)), ("121", date(2000, 1, 21)),
        ("680101", date(2068, 1, 1)), ("690101", date(1969, 1, 1)), ("991231", date(1999, 12, 31)), ("000101", date(2000, 1, 1)),
        ("17000101", date(1700, 1, 1)), ("16991231", None), ("20240230", None), ("2024061", None), ("20241301", None),
        ("2008-01-21", date(2008, 1, 21)), ("2008/1/2", date(2008, 1, 2)), ("2008-01/21", None),
        ("01/02/2008", date(2008, 1, 2)), ("12/21/2008", date(2008, 12, 21)), ("21/12/2008", None), ("1-2-68", date(2068, 1, 2)),
        ("1-2-69", date(1969, 1, 2)), ("21.12.2008", date(2008, 12, 21)), ("1.2.08", date(2008, 2, 1)),
        ("21 Jan 2008", date(2008, 1, 21)), ("21-January-08", date(2008, 1, 21)), ("Sept 3, 2008", date(2008, 9, 3)),
        ("Jan 21 2008", date(2008, 1, 21)), ("21 Jam 2008", None), ("", None), ("soon", None), ("٢٠٢٤٠٦١٤", None),
    ],
)  # fmt: skip
def test_a_text_says_a_date_or_none(text, day):
    assert parse_date(text) == day


def test_day_first_is_for_slashes_and_dashes():
    assert parse_date("01/02/2008", DAY_FIRST) == date(2008, 2, 1)
    assert parse_date("12/21/2008", DAY_FIRST) is None
    assert parse_date("1.2.2008", DAY_FIRST) == date(2008, 2, 1)
    assert parse_date("2008-01-02", DAY_FIRST) == date(2008, 1, 2)


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ([], DateOrder()),
        (["20240614", "2024-06-14"], DateOrder()),
        (["01/02/2008"], DateOrder(is_ambiguous=True)),
        (["12/12/2008"], DateOrder(is_ambiguous=True)),
        (["13/12/2008"], DAY_FIRST),
        (["12/13/2008"], DateOrder()),
        (["13/12/2008", "12/13/2008"], DateOrder()),
        (["01/02/2008", "21/12/2008"], DAY_FIRST),
        (["21.12.2008", "01/02/2008"], DateOrder(is_ambiguous=True)),
        (["21.12.2008"], DateOrder()),
    ],
)
def test_the_order_of_a_file_is_what_its_dates_prove(texts, order):
    assert find_order(texts) == order


def test_zeros_are_no_date():
    zeros = ("0", "00000000", "0000-00-00", "0/0/0")
    assert [is_zero(text) for text in (*zeros, "", "-", "01", "20000000")] == [True] * 4 + [
        False
    ] * 4
