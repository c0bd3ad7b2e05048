# SPDX-License-Identifier: Apache-2.0
"""Futures, options on them and cryptocurrencies: from the simulated vendor into relations."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime, timedelta

import pytest
from vendor_home import CHAINS, METRICS, NOW, outcome_of, vendor_home

from ttapi.home import Home
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

FUTURES, OPTIONS = "raw.tastytrade_futures", "raw.tastytrade_future_options"
COINS = "raw.tastytrade_cryptocurrencies"
LATER = NOW + timedelta(hours=25)


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=28)


@pytest.fixture(scope="module")
def loaded(template_home, tmp_path_factory, lab_type, market):
    """A home that holds all futures and coins, and the options on ES and CL."""
    folder = tmp_path_factory.mktemp("vendor")
    home = Home(folder / "home")
    shutil.copytree(template_home.root, home.root, symlinks=True)
    (folder / "data").mkdir()
    with vendor_home(lab_type(home, folder / "data"), market) as vendor:
        assert vendor.refresh(FUTURES, COINS).exit_code == 0
        assert vendor.refresh(OPTIONS, symbols=("ES", "CL")).exit_code == 0
        yield vendor


@pytest.fixture
def vendor(loaded):
    loaded.asked()
    yield loaded
    loaded.server.faults.clear()


def test_futures_are_those_of_the_market_with_typed_columns(vendor, market):
    contracts = [
        contract
        for product in market.board.products(market.now)
        for contract in market.board.contracts(product, market.now)
    ]
    assert vendor.lab.rows("select symbol, expiration_date from futures order by all") == sorted(
        (contract.symbol, contract.expires) for contract in contracts
    )
    assert vendor.lab.rows(
        "select product_code, streamer_symbol, exchange, product_description, tick_size, notional_multiplier,"
        " active_month, next_active_month, expires_at, json_extract_string(future_product, '$.roll.name'), extra"
        " from futures where symbol = '/ESU4'"
    ) == [
        (
            "ES", "/ESU24:XCME", "CME", "E Mini S&P", 0.25, 50.0, True, False,
            datetime(2024, 9, 20, 13, 30), "equity_index", None,
        )
    ]  # fmt: skip


def test_coins_are_those_of_the_market(vendor):
    assert vendor.lab.rows(
        "select symbol, streamer_symbol, short_description, tick_size, active,"
        " json_extract_string(destination_venue_symbols, '$[0].symbol') from cryptocurrencies order by symbol"
    ) == [
        ("BTC/USD", "BTC/USD:CXTALP", "Bitcoin", 0.01, True, "BTC-USD"),
        ("ETH/USD", "ETH/USD:CXTALP", "Ethereum", 0.01, True, "ETH-USD"),
    ]


@pytest.mark.parametrize("code", ["ES", "CL"])
def test_options_have_a_row_a_contract_of_every_root_and_strike(vendor, market, code):
    product = next(one for one in market.board.products(market.now) if one.code == code)
    expected = {
        (options.code, options.expires, float(strike), options.future.symbol)
        for options in market.board.options(product, market.now)
        for strike in market.board.strikes(options, market.now)
    }
    for option_type in "CP":
        rows = vendor.lab.rows(
            "select option_contract_symbol, expiration_date, strike, underlying_symbol from future_options"
            f" where product_code = '{code}' and option_type = '{option_type}'"
        )
        assert (len(rows), set(rows)) == (len(expected), expected)


def test_an_option_knows_its_future(vendor):
    ((symbol, streamer, *rest),) = vendor.lab.rows(
        "select symbol, streamer_symbol, underlying_symbol, underlying_streamer_symbol, underlying_expiration_date,"
        " underlying_maturity_date, is_underlying_active_month, exercise_style, settlement, expiration_type, extra"
        " from future_options where option_contract_symbol = 'EWM4' and option_type = 'C'"
        " order by strike limit 1"
    )
    assert symbol.startswith("./ESU4 EWM4 240628C")
    assert streamer.startswith("./EWM24C")
    assert rest == [
        "/ESU4", "/ESU24:XCME", date(2024, 9, 20), date(2024, 9, 20), True, "E", "PM",
        "End-Of-Month", None,
    ]  # fmt: skip


def test_every_column_has_a_comment_and_nothing_said_is_dropped(vendor):
    own = {"unit_id", "line", "load_id", "replaced_at", "is_current", "replaced_by"}
    for table, view in ((FUTURES, "futures"), (COINS, "cryptocurrencies")):
        raw = set(vendor.lab.columns(f"select * from {table} limit 0")) - own
        assert raw == set(vendor.lab.columns(f"select * from {view} limit 0"))
    assert vendor.lab.rows(
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and comment is null"
        " and table_name in ('futures', 'future_options', 'cryptocurrencies')"
    ) == []  # fmt: skip


def test_a_query_fetches_the_product_it_names_and_no_other(vendor):
    done = vendor.lab.ttapi(
        "sql",
        "--csv",
        "-c",
        "select count(*) > 100 as many from future_options where product_code = 'NQ'",
    )
    assert (done.returncode, done.stdout) == (0, "many\ntrue\n"), done.stderr
    assert vendor.asked() == {
        "POST /oauth/token": 1,
        "GET /futures-option-chains/NQ/nested": 1,
    }
    again = vendor.lab.ttapi("sql", "-c", "select * from future_options where product_code = 'NQ'")
    assert (again.returncode, vendor.asked()) == (0, {})


def test_a_product_that_is_none_or_misspelt_is_told(vendor):
    for code, said in (
        ("QQQQ", "the vendor does not know this symbol"),
        ("/ES", "product codes are written as ttapi does: ES"),
        ("es", "product codes are written as ttapi does: ES"),
    ):
        done = vendor.lab.ttapi(
            "sql", "-c", f"select * from future_options where product_code = '{code}'"
        )
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_unbound_options_are_those_held_and_without_any_the_key_is_asked_for(vendor, lab):
    done = vendor.lab.ttapi("sql", "-c", "select count(*) from future_options")
    assert done.returncode == 0, done.stderr
    lab.environ |= vendor.lab.environ
    none = lab.ttapi("sql", "-c", "select count(*) from future_options")
    assert none.returncode == 2
    assert "where product_code = ..." in none.stderr


def test_symbols_of_a_refresh_are_no_products_unless_products_alone_are_refreshed(vendor):
    outcome = vendor.refresh("tastytrade", now=LATER, symbols=("SPY",))
    assert outcome.exit_code == 0
    asked = vendor.asked()
    # Once as a chain and once for the quotes of its contracts.
    assert asked["GET /option-chains/SPY/nested"] == 2
    assert not any("futures-option-chains/SPY" in what for what in asked)
    assert asked["GET /instruments/futures"] == 1


def test_a_bad_future_is_refused_alone(vendor):
    before = vendor.lab.rows("select count(*) from futures")
    vendor.server.faults.set("missing-fields:path=/instruments/futures,field=product-code")
    done = outcome_of(vendor.refresh(FUTURES, force=True), FUTURES)
    assert (done.error, done.rows_refused, done.rows_accepted) == (None, 1, before[0][0] - 1)
    assert vendor.lab.rows(
        "select reason from rejects where dataset = 'raw.tastytrade_futures'"
    ) == [("field 'product-code' is missing",)]
    vendor.server.faults.clear()
    assert vendor.refresh(FUTURES, force=True).exit_code == 0
    assert vendor.lab.rows("select count(*) from futures") == before


def test_a_chain_of_another_shape_is_kept_and_changes_nothing(vendor):
    before = vendor.rows(OPTIONS)
    for spec, said in (
        ("drift:path=/futures-option-chains,field=option-chains", "'option-chains' is no list"),
        ("drift:path=/futures-option-chains,field=expiration-date", "'symbol' is missing"),
        ("drift:path=/futures-option-chains,field=option-contract-symbol", "is missing"),
    ):
        vendor.server.faults.set(spec)
        done = outcome_of(vendor.refresh(OPTIONS, symbols=("ES",), force=True), OPTIONS)
        vendor.server.faults.clear()
        if "expiration-date" not in spec:
            assert said in done.error, done.error
        assert vendor.rows(OPTIONS) == before


def test_a_dataset_of_each_is_fresh_afterwards(vendor):
    assert vendor.refresh(FUTURES, COINS).exit_code == 0
    held = [code for (code,) in vendor.lab.rows("select distinct product_code from future_options")]
    assert vendor.refresh(OPTIONS, symbols=held, force=True).exit_code == 0
    rows = json.loads(vendor.lab.ttapi("status", "--json").stdout)
    verdicts = {row["dataset"]: row["verdict"] for row in rows}
    assert [verdicts[name] for name in (FUTURES, OPTIONS, COINS)] == ["fresh"] * 3
    assert {CHAINS, METRICS} <= verdicts.keys()
