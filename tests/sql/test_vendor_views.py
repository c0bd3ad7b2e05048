# SPDX-License-Identifier: Apache-2.0
"""What the vendor's answers look like as relations: read from a simulated vendor over loopback."""

from __future__ import annotations

import shutil
from datetime import date, datetime

import duckdb
import pytest

from ttapi.home import Home
from ttapi.store.store import open_store


def test_private_relations_are_left_out_of_an_exported_database(vendor_home, tmp_path):
    private = ("accounts", "balances", "positions", "transactions")
    held = {name: vendor_home.rows(f"select count(*) from {name}")[0][0] for name in private}
    assert all(held.values()), held
    shared = tmp_path / "shared.duckdb"
    done = vendor_home.ttapi("export", "--database", shared)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(shared), read_only=True) as con:
        found = {
            name
            for (name,) in con.execute(
                "select table_name from information_schema.tables"
            ).fetchall()
        }
    assert found.isdisjoint({*private, *(f"tastytrade_{name}" for name in private)})
    assert {"symbols", "market_metrics", "option_chains", "events", "eod"} <= found


@pytest.mark.parametrize(
    ("relation", "grain"),
    [
        ("accounts", "account_number"),
        ("balances", "account_number, currency"),
        ("positions", "account_number, symbol, instrument_type"),
        ("transactions", "account_number, id"),
        ("symbols", "symbol"),
        ("watchlists", "name, symbol"),
        ("symbol_search", "prefix, symbol"),
        ("market_metrics", "symbol"),
        ("market_metrics_history", "symbol, updated_at"),
        ("market_metrics_expirations", "symbol, expiration_date, option_chain_type, settlement_type"),
        ("events", "symbol, date, type"),
        ("option_chains", "occ_symbol"),
        ("expiration_series", "root, expiration_date, settlement"),
        ("eod_gaps", "symbol, from_date"),
    ],
)  # fmt: skip
def test_a_relation_holds_a_row_of_its_grain_once_and_every_column_has_a_comment(
    vendor_home, relation, grain
):
    assert (
        vendor_home.rows(f"select {grain} from {relation} group by all having count(*) > 1") == []
    )
    silent = vendor_home.rows(
        f"select column_name from duckdb_columns() where table_name = '{relation}' and schema_name = 'main' and comment is null"
    )
    assert silent == []
    if relation != "eod_gaps":
        assert vendor_home.rows(f"select count(*) from {relation}") != [(0,)]


def test_nothing_the_vendor_said_is_dropped(vendor_home):
    own = {"unit_id", "line", "load_id", "replaced_at", "is_current", "replaced_by"}
    for table, view in (
        ("tastytrade_accounts", "accounts"),
        ("tastytrade_balances", "balances"),
        ("tastytrade_positions", "positions"),
        ("tastytrade_transactions", "transactions"),
        ("tastytrade_symbols", "symbols"),
        ("tastytrade_market_metrics", "market_metrics"),
        ("tastytrade_watchlists", "watchlists"),
        ("tastytrade_symbol_search", "symbol_search"),
    ):
        raw = set(vendor_home.columns(f"select * from raw.{table} limit 0")) - own
        assert raw == set(vendor_home.columns(f"select * from {view} limit 0"))


def test_a_chain_has_a_row_a_contract_of_every_root(vendor_home):
    assert vendor_home.rows(
        "select root, settlement, exercise_style, is_adjusted, count(*) filter (option_type = 'C') = count(*) filter (option_type = 'P')"
        " from option_chains where underlying = 'SPX' group by all order by all"
    ) == [("SPX", "AM", "E", False, True), ("SPXW", "PM", "E", False, True)]
    assert vendor_home.rows(
        "select occ_symbol, underlying, expiration_date, kind, option_type, streamer_symbol, shares_per_contract, exercise_style, source"
        " from option_chains where occ_symbol = 'AAPL  261218C00300000'"
    ) == [
        (
            "AAPL  261218C00300000", "AAPL", date(2026, 12, 18), "monthly", "C",
            ".AAPL261218C300", 100, "A", "tastytrade",
        )
    ]  # fmt: skip


def test_metrics_hold_a_volatility_of_every_expiration_of_the_chain(vendor_home):
    for symbol in ("AAPL", "SPX"):
        metrics = vendor_home.rows(
            f"select expiration_date, settlement_type from market_metrics_expirations where symbol = '{symbol}' and implied_volatility between 0.01 and 2 order by all"
        )
        chain = vendor_home.rows(
            f"select distinct expiration_date, settlement from option_chains where underlying = '{symbol}' order by all"
        )
        assert metrics == chain


def test_events_are_the_past_ones_and_the_next_as_the_newest_metrics_expect_them(vendor_home):
    rows = vendor_home.rows(
        "select date, type, time_hint, known_at, amount is not null, is_estimated from events"
        " where symbol = 'AAPL' and date >= '2026-10-01' order by date"
    )
    loaded = datetime(2026, 11, 20, 22)
    assert rows == [
        (date(2026, 10, 14), "earnings", None, datetime(2026, 10, 14, 20), False, False),
        (date(2026, 11, 9), "dividend", None, datetime(2026, 11, 9, 14, 30), True, False),
        (date(2027, 1, 14), "earnings", "AMC", loaded, False, True),
        (date(2027, 2, 9), "dividend", None, loaded, False, True),
    ]
    assert vendor_home.rows("select next_earnings from market_grid where symbol = 'AAPL'") == [
        (date(2027, 1, 14),)
    ]


def test_the_series_says_what_a_chain_has_and_the_difference_is_what_only_one_side_has(
    vendor_home, tmp_path, lab_type
):
    seen = "from expiration_series where expiration_date = '2026-12-18'"
    assert vendor_home.rows(
        f"select root, settlement, kind, source {seen} and root in ('SPX', 'SPXW', 'QQQ', 'AAPL') order by all"
    ) == [
        ("AAPL", "PM", "monthly", "chain"),
        ("QQQ", "PM", "monthly", "rule"),
        ("SPX", "AM", "monthly", "chain"),
        ("SPXW", "PM", "monthly", "chain"),
    ]
    assert vendor_home.rows("select * from expiration_diff where root in ('SPX', 'SPXW')") == []
    shutil.copytree(vendor_home.home.root, tmp_path / "home", symlinks=True)
    changed = lab_type(Home(tmp_path / "home"), tmp_path, {}, vendor_home.now)
    with (
        open_store(changed.home, command="test", now=changed.now) as store,
        store.transaction() as cursor,
    ):
        for change in (
            "set expiration_date = '2026-12-17' where root = 'SPX' and expiration_date = '2026-12-18'",
            "set kind = 'quarterly' where root = 'SPX' and expiration_date = '2027-01-15'",
            "set settlement = 'PM' where root = 'SPX' and expiration_date = '2027-02-19'",
        ):
            cursor.execute(f"update staged.chain_expirations {change}")
        cursor.execute(
            "delete from staged.chain_expirations where root = 'SPX' and expiration_date = '2027-03-19'"
        )
        cursor.execute(
            "insert into staged.chain_expirations by name select * replace (date '2027-03-02' as expiration_date)"
            " from staged.chain_expirations where root = 'SPX' and expiration_date = '2027-04-16'"
        )
        found = cursor.execute(
            "select expiration_date::varchar, settlement, difference, chain_kind, rule_kind, rule_expiration_date::varchar, rule_settlement"
            " from expiration_diff where root = 'SPX' order by all"
        ).fetchall()
    assert found == [
        ("2026-12-17", "AM", "moved", "monthly", "monthly", "2026-12-18", "AM"),
        ("2027-01-15", "AM", "same_date_other_kind", "quarterly", "monthly", "2027-01-15", "AM"),
        ("2027-02-19", "PM", "same_date_other_kind", "monthly", "monthly", "2027-02-19", "AM"),
        ("2027-03-02", "AM", "chain_only", "monthly", None, None, None),
        ("2027-03-19", "AM", "rule_only", None, "monthly", "2027-03-19", "AM"),
    ]


def test_a_search_is_asked_by_the_beginning_of_a_symbol(vendor_home):
    assert vendor_home.rows(
        "select prefix, symbol, has_options from symbol_search where prefix = 'AA'"
    ) == [("AA", "AAPL", True)]


def test_a_watchlist_and_a_shipped_list_are_universes(vendor_home):
    assert vendor_home.rows(
        "select distinct name, source from universes where name in ('Most Traded', 'sector_etfs') order by all"
    ) == [("Most Traded", "watchlist"), ("sector_etfs", "shipped")]
