# SPDX-License-Identifier: Apache-2.0
"""All symbols of the vendor at once: what is missing is named, the rate and what is in flight bounded."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from kills import pause, start
from vendor_home import CANDLES, CHAINS, METRICS, NOW, SYMBOLS, outcome_of, vendor_home

from ttapi.refresh.home_state import read_home_state
from ttapi.simulator.vendor_market import VendorMarket
from ttapi.store.catalog import read_slices
from ttapi.store.store import open_store

pytestmark = pytest.mark.compat

KILLS = [(CHAINS, 170, 0.0), (METRICS, 2, 0.0), (METRICS, 3, 0.1), (CANDLES, 2, 0.2)]
"""What is refreshed, after how many requests and how much later the command dies."""


def ours(market):
    """The market's symbols as ttapi writes them."""
    return tuple(symbol.replace("/", ".") for symbol in market.symbols)


def test_503_of_507_symbols_are_a_result_and_none_is_an_error(lab):
    market = VendorMarket(7, NOW)
    wanted = ours(market)
    with vendor_home(lab, market, "missing-symbols:count=4") as vendor:
        # The server draws its market when first asked, in this process: one call after the other.
        lab.environ["TTAPI_TASTYTRADE_IN_FLIGHT"] = "1"
        outcome = vendor.refresh(METRICS, symbols=wanted)
        done = outcome_of(outcome, METRICS)
        assert (outcome.exit_code, done.error, done.rows_accepted) == (1, None, 503)
        said = "/market-metrics: the vendor does not know this symbol"
        assert sorted(done.failed_units) == sorted(f"{one}: {said}" for one in wanted[-4:])
        assert vendor.asked() == {"POST /oauth/token": 1, "GET /market-metrics": 6}
        vendor.server.faults.set("missing-symbols:count=507")
        outcome = vendor.refresh(METRICS, symbols=wanted, now=NOW + timedelta(hours=2))
        done = outcome_of(outcome, METRICS)
        assert outcome.exit_code == 1
        assert done.error == f"none of 507 slices was answered: {done.failed_units[0]}"
        assert vendor.lab.rows(f"select count(distinct symbol) from {METRICS}") == [(503,)]


def test_the_vendors_rate_is_kept_and_a_fresh_dataset_asks_nothing(lab):
    market = VendorMarket(7, NOW, symbols=60)
    with vendor_home(lab, market, requests_per_s=100.0, latency_s=0.05) as vendor:
        lab.environ["TTAPI_TASTYTRADE_REQUESTS_PER_S"] = "100"
        lab.environ["TTAPI_TASTYTRADE_IN_FLIGHT"] = "7"
        assert vendor.refresh(CHAINS, METRICS, symbols=ours(market)).exit_code == 0
        counters = vendor.server.counters
        assert (counters.asked, counters.throttled, counters.failed) == (63, 0, 0)
        # Never more than allowed; the client's own count below says that as many were on their way.
        assert counters.most_in_flight <= 7
        account = read_home_state(lab.home).traffic["tastytrade"]
        assert account["outcomes"] == {"200": 63}
        assert (account["in_flight_most"], account["pace_per_s"]) == (7, 100.0)
        vendor.asked()
        assert vendor.refresh(CHAINS, METRICS, symbols=ours(market)).exit_code == 0
        assert (
            lab.ttapi("sql", "select count(*) from market_metrics").stdout == "count_star()\n60\n"
        )
        assert vendor.asked() == {}


def test_a_vendor_that_says_429_is_asked_more_slowly_and_all_comes(lab):
    market = VendorMarket(7, NOW, symbols=60)
    with vendor_home(lab, market, "429-burst:after=20,count=10") as vendor:
        assert vendor.refresh(CHAINS, symbols=ours(market)).exit_code == 0
        assert vendor.server.counters.throttled == 10
        assert len(vendor.rows(CHAINS)) == 60
        assert any("by status 429" in one for one in vendor.status(CHAINS)["reasons"])


@pytest.mark.parametrize(("dataset", "requests", "pause_s"), KILLS)
def test_after_a_kill_only_what_is_missing_is_asked(lab, tmp_path, dataset, requests, pause_s):
    market = VendorMarket(7, NOW, symbols=200)
    symbols = SYMBOLS if dataset == CANDLES else ours(market)
    with vendor_home(lab, market) as vendor:
        # Few in flight: that many asked means that some are committed.
        lab.environ["TTAPI_TASTYTRADE_IN_FLIGHT"] = "10"
        environ = {**lab.environ, "TTAPI_NOW": NOW.isoformat()}
        arguments = ("refresh", dataset, "--symbols", ",".join(symbols))
        process = start(lab.home, tmp_path / "trace", *arguments, **environ)
        while vendor.server.counters.asked < requests and process.poll() is None:
            pause(0.005)
        pause(pause_s, process)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        committed = held(lab, dataset)
        vendor.asked()
        assert vendor.refresh(dataset, symbols=symbols).exit_code == 0
        asked = vendor.asked()
        assert held(lab, dataset) == set(symbols)
        assert lab.rows(f"select distinct symbol from {dataset} order by 1") == [
            (symbol,) for symbol in sorted(symbols)
        ]
        assert lab.rows(
            f"select count(*) from {dataset} where replaced_at is null"
            f" group by {grain(lab, dataset)} having count(*) > 1"
        ) == []  # fmt: skip
        if dataset == CHAINS:
            assert committed
            missing = set(symbols) - committed
            assert asked == {"POST /oauth/token": 1, **{chain_of(one): 1 for one in missing}}
        assert vendor.refresh(dataset, symbols=symbols).exit_code == 0
        assert vendor.asked() == {}


def chain_of(symbol):
    """What asks for the chain of a symbol, as the server logs it."""
    return f"GET /option-chains/{symbol.replace('.', '/')}/nested"


def held(lab, dataset):
    """Keys whose slice is committed, as the live file says."""
    with (
        open_store(lab.home, command="test", wait_s=0, now=NOW) as store,
        store.reading() as cursor,
    ):
        return {one.key for one in read_slices(cursor).get(dataset, ())}


def grain(lab, dataset):
    """The columns that make one fact of a dataset."""
    return ", ".join(lab.environment().resources[dataset].resource.grain)
