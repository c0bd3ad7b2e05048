# SPDX-License-Identifier: Apache-2.0
"""Which columns of an answer are instants: those that ttapi declares, passed on as they are."""

from __future__ import annotations

import pytest

from ttapi.models.references import unchanged_columns

DECLARED = {"eod": {"known_at"}, "chain": {"quote_time"}, "raw.x": {"known_at", "seen_at"}}


def declared(relations):
    return frozenset().union(*(DECLARED.get(name, ()) for name in relations))


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select * from eod", {"known_at"}),
        ("from eod", {"known_at"}),
        ("select e.known_at from eod as e", {"known_at"}),
        ("select known_at as seen from eod", {"known_at", "seen"}),
        ("with a as (select known_at as seen from eod) select (seen) as then_at from a", {"known_at", "seen", "then_at"}),
        ("select date_trunc('month', known_at) as known_at from eod", set()),
        ("select known_at + interval 1 day as known_at from eod", set()),
        ("select * replace (known_at + interval 1 day as known_at) from eod", set()),
        ("select t.known_at from (values (timestamp '2024-01-01')) as t(known_at), eod", set()),
        ("select timestamp '2024-01-01' as known_at", set()),
        ("select date as known_at from eod", set()),
        ("from chain_asof('AAA', '2024-06-05')", {"quote_time"}),
        ("select * from raw.x", {"known_at", "seen_at"}),
        ("select known_at from", set()),
        ("select known_at from eod where " + "(" * 3000 + "1" + ")" * 3000 + " > 0", set()),
    ],
)  # fmt: skip
def test_what_is_passed_on_is_an_instant_and_what_is_computed_is_none(sql, names):
    assert unchanged_columns(sql, declared) == names


def test_the_screen_shows_instants_in_the_zone_and_the_rest_as_it_is(whole_lab):
    sql = (
        "select open_utc as opens, open_utc + interval 1 day as next_day, date_trunc('month', date) as month"
        " from calendar where market = 'XNYS' and date = '2024-06-14'"
    )
    box = whole_lab.ttapi("sql", sql, "--format", "table").stdout.splitlines()
    assert box[0].split() == ["opens", "(America/New_York)", "next_day", "month"]
    assert box[2] == "2024-06-14 09:30:00       2024-06-15 13:30:00  2024-06-01 00:00:00"
    text = whole_lab.ttapi("sql", sql, "--format", "csv").stdout.splitlines()[1]
    assert text == "2024-06-14T13:30:00Z,2024-06-15 13:30:00,2024-06-01 00:00:00"
    zoned = whole_lab.ttapi(
        "sql", "set timezone = 'Asia/Tokyo'; select timestamptz '2024-06-14 20:00:00+00' as t", "--format", "csv"
    )  # fmt: skip
    assert zoned.stdout == "t\n2024-06-15 05:00:00+09\n"
