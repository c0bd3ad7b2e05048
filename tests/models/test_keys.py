# SPDX-License-Identifier: Apache-2.0
"""A table that names its keys is made some keys at a time, also where the whole of it is."""

from __future__ import annotations

import pytest

from ttapi.errors import ModelError
from ttapi.models.model import read_model

COUNTED = (
    "-- kind: table\n-- grain: symbol\n-- incremental: symbol\n{}"
    "select e.symbol, max(len(getvariable('rebuilt_keys'))) as n from staged.eod as e group by e.symbol"
)


def counted(lab, keys):
    for symbol in ("AAA", "BBB"):
        lab.write_bars(f"{symbol}.csv", [f"{symbol},D,20240612,000000,1,2,1,2,10,0"])
    lab.write_model("derived/counted.sql", COUNTED.format(keys))
    assert [d.error for d in lab.refresh("derived.counted").datasets if d.error] == []
    return lab.rows("select * from derived.counted order by symbol")


def test_a_whole_table_is_made_of_the_keys_it_names(lab):
    assert counted(lab, "-- keys: staged.eod\n") == [("AAA", 2), ("BBB", 2)]


def test_without_them_it_is_made_at_once(lab):
    assert counted(lab, "") == [("AAA", None), ("BBB", None)]


def test_keys_of_a_table_that_is_made_whole_are_refused(tmp_path):
    file = tmp_path / "sql" / "derived" / "t.sql"
    file.parent.mkdir(parents=True)
    file.write_text("-- kind: table\n-- keys: staged.eod\nselect 1 as x")
    with pytest.raises(ModelError, match="keys of staged"):
        read_model(file, tmp_path / "sql", is_bundled=False)
