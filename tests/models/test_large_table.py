# SPDX-License-Identifier: Apache-2.0
"""A stored table of more than one row group holds every row of its definition, and says so."""

from __future__ import annotations


def test_a_table_larger_than_a_row_group_is_filled_and_counted(lab):
    lab.write_model(
        "derived/crossed.sql",
        "-- kind: table\n-- ttl: 7d\n-- check: range(k, 0, 1)\n"
        "select c.market, c.date, k.k::bigint as k\n"
        "from derived.calendar as c, (select unnest(range(2)) as k) as k\n",
    )
    outcome = lab.refresh("derived.crossed")
    assert [d.error for d in outcome.datasets if d.error] == []
    ((expected,),) = lab.rows("select 2 * count(*) from derived.calendar")
    assert expected > 122_880, "a row group"
    assert lab.rows("select count(*), sum(k) from derived.crossed") == [(expected, expected // 2)]
    assert lab.rows("select rows from catalog.state where dataset = 'derived.crossed'") == [
        (expected,)
    ]
