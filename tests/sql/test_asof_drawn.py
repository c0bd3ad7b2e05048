# SPDX-License-Identifier: Apache-2.0
"""`eod_asof`, made of the definition of `eod`, says what SQL written by hand says, of drawn bars."""

from __future__ import annotations

import random
from datetime import datetime, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ttapi.market.calendar import sessions
from ttapi.store.current_rows import current_order

BY_HAND = Path(__file__).with_name("eod_asof_by_hand.sql").read_text()
DAYS = [d for d in sessions("XNYS").dates if d.year == 2024 and sessions("XNYS").is_session(d)][:40]
LOADS = [datetime.combine(DAYS[i], time(22, 30)) for i in (9, 19, 29, 39)]
ASKED = [
    str(DAYS[5]),
    str(DAYS[19]),
    f"{DAYS[20]} 19:00:00",
    str(LOADS[1]),
    str(LOADS[2]),
    "2024-12-31",
]
TABLES = ("raw.metastock_bars", "raw.dxlink_candles")


@pytest.fixture(scope="module")
def con(template_home, lab_type, tmp_path_factory):
    """The published relations over raw tables without a bar."""
    lab = lab_type(template_home, tmp_path_factory.mktemp("none"))
    with duckdb.connect(config={"threads": 2}) as made:
        made.execute(f"attach '{template_home.public_file}' as published (read_only)")
        made.execute("copy from database published to memory")
        made.execute(BY_HAND)
        yield made, {name: lab.environment().resources[name].resource for name in TABLES}


def versions(rng, day):
    """(known_at, replaced_at) of a fact as it came, was corrected and was taken back."""
    known = datetime.combine(day, time(20))
    later = [at for at in LOADS if at > known and rng.random() < 0.25]
    ends = [*later, None if rng.random() < 0.9 or not later else later[-1]]
    return [(a, b) for a, b in zip([known, *later], ends, strict=True) if a != b]


def drawn(rng):
    """Two files and the candles of one symbol; the candles of some draws are in another basis."""
    bars, candles = [], []
    scale = rng.choice([1, 1, 2])
    for day in DAYS:
        base = 50 + rng.random() * 10
        for unit in (901, 902):
            if rng.random() < 0.6:
                for known_at, replaced_at in versions(rng, day):
                    row = {
                        "symbol": "AAA",
                        "date": day,
                        "ticker": "AAA",
                        "per": "D",
                        "time": "000000",
                    }
                    bars.append(
                        row
                        | of_store(rng, base, unit, known_at, replaced_at)
                        | {"source": "metastock"}
                    )
        for tho in (True, False):
            if rng.random() < 0.5:
                for known_at, replaced_at in versions(rng, day):
                    row = {
                        "symbol": "AAA",
                        "date": day,
                        "streamer_symbol": "AAA",
                        "tho": tho,
                        "period": "d",
                    }
                    row["time"] = datetime.combine(day, time(5))
                    candles.append(row | of_store(rng, base * scale, 903, known_at, replaced_at))
    return bars, candles


def of_store(rng, base, unit, known_at, replaced_at):
    close = round(base * rng.choice([1, 1, 1, 1.02]), 2)
    return {
        "open": close, "high": close, "low": close, "close": close, "volume": 10.0, "unit_id": unit,
        "line": rng.randrange(9), "known_at": known_at, "load_id": len(str(known_at)), "replaced_at": replaced_at,
        "is_current": False,
    }  # fmt: skip


def store(con, resources, rng):
    for table, rows in zip(TABLES, drawn(rng), strict=True):
        con.execute(f"delete from {table}")
        con.execute(f"delete from catalog.units where dataset = '{table}'")
        units = [901, 902] if table == TABLES[0] else [903]
        for unit in units:
            lasts = sorted(rng.choices(DAYS, k=len(LOADS)))
            counts = ", ".join(
                f"1 as {name}" for name in ("rows_in", "rows_accepted", "rows_refused")
            )
            con.execute(
                f"insert into catalog.units by name select ? as unit_id, ? as dataset, ? as key, ? as last_date, {counts},"
                " '' as version, false as has_duplicates, 4 as load_id, ?::timestamp as loaded_at,"
                " ?::timestamp as checked_at, false as is_vanished",
                [unit, table, f"{unit}.csv", lasts[-1], LOADS[-1], LOADS[-1]],
            )
            con.execute("delete from catalog.unit_versions where unit_id = ?", [unit])
            for load, (at, last) in enumerate(zip(LOADS, lasts, strict=True)):
                con.execute(
                    f"insert into catalog.unit_versions by name select ? as unit_id, ? as dataset, ? as key, {counts},"
                    " ? as load_id, ? as loaded_at, ? as last_date, '' as content_hash, 1 as rows_added, 0 as rows_replaced",
                    [unit, table, f"{unit}.csv", load, at, last],
                )
        con.register("drawn_rows", pa.Table.from_pylist(rows))
        con.execute(f"insert into {table} by name select * from drawn_rows")
        grain = ", ".join(f"rows.{name}" for name in resources[table].grain)
        con.execute(
            f"update {table} set is_current = true where rowid in (select rows.rowid from {table} as rows"
            " left join (select u.unit_id, u.last_date, u.key as path from catalog.units as u) as units"
            " on units.unit_id = rows.unit_id where rows.replaced_at is null qualify row_number()"
            f" over (partition by {grain} order by {current_order(resources[table])}) = 1)"
        )


@pytest.mark.parametrize("seed", range(12))
def test_the_form_made_of_the_definition_says_what_was_written_by_hand(con, seed):
    connection, resources = con
    store(connection, resources, random.Random(seed))
    for as_of in ASKED:
        ask = f"select * from {{}}('{as_of}', 'aaa')"
        expected = connection.execute(ask.format("eod_asof_by_hand")).fetchall()
        assert connection.execute(ask.format("eod_asof")).fetchall() == expected
    assert len(expected) > 20
