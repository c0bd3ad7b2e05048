# SPDX-License-Identifier: Apache-2.0
"""A vendor that refuses who we are, what we ask, or is not there: asked no more than it should be.

Each has one line in `ttapi status`, and commands end as the interface says.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from vendor_home import ACCOUNTS, BALANCES, CANDLES, CHAINS, METRICS, NOW, SYMBOLS, outcome_of
from vendor_home import vendor_home as vendor_home_of

from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

HOUR = timedelta(hours=1)
BOTH = ACCOUNTS, CHAINS, METRICS, CANDLES


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=28)


@pytest.fixture
def vendor(lab, market):
    with vendor_home_of(lab, market) as home:
        yield home


def reason(vendor, dataset, now=NOW):
    reasons = vendor.status(dataset, now=now)["reasons"]
    return next((one for one in reasons if one.startswith("last attempt failed")), reasons[-1])


def test_a_revoked_grant_is_tried_once_an_hour(vendor):
    vendor.server.faults.set("revoked")
    outcome = vendor.refresh(*BOTH)
    assert (outcome.exit_code, vendor.asked()) == (3, {"POST /oauth/token": 1})
    said = "the grant is refused: status 400, Grant revoked"
    first = f"last attempt failed: {said} (ttapi login stores new credentials)"
    assert reason(vendor, ACCOUNTS) == first
    done = vendor.lab.ttapi("refresh", "tastytrade", "--symbols", "SPY")
    assert (done.returncode, vendor.asked()) == (3, {})
    again = f"{said}; these credentials are not tried again before 23:00 UTC"
    assert done.stderr.count(again) == 12
    assert again in reason(vendor, CHAINS)
    assert vendor.refresh(ACCOUNTS, now=NOW + HOUR).exit_code == 3
    assert vendor.asked() == {"POST /oauth/token": 1}


def test_other_credentials_are_tried_at_once(vendor):
    right = vendor.lab.environ["TTAPI_TASTYTRADE_CLIENT_SECRET"]
    vendor.lab.environ["TTAPI_TASTYTRADE_CLIENT_SECRET"] = "a-secret-that-is-wrong"
    assert vendor.refresh(ACCOUNTS, BALANCES).exit_code == 3
    assert vendor.asked() == {"POST /oauth/token": 1}
    said = "the grant is refused: status 401, Client authentication failed"
    assert said in reason(vendor, ACCOUNTS)
    vendor.lab.environ["TTAPI_TASTYTRADE_CLIENT_SECRET"] = right
    assert vendor.refresh(ACCOUNTS).exit_code == 0
    assert vendor.status(ACCOUNTS)["reasons"] == []


def test_credentials_refused_by_one_server_are_tried_at_another(vendor):
    vendor.server.faults.set("revoked")
    assert vendor.refresh(ACCOUNTS).exit_code == 3
    port = vendor.server.port
    for base_url, asked in (
        (f"http://127.0.0.1:{port}/", {}),
        (f"http://localhost:{port}", {"POST /oauth/token": 1}),
    ):
        vendor.asked()
        vendor.lab.environ["TTAPI_TASTYTRADE_BASE_URL"] = base_url
        assert (vendor.refresh(ACCOUNTS).exit_code, vendor.asked()) == (3, asked)


def test_a_refusal_that_passes_is_no_refusal(vendor):
    vendor.server.faults.set("oauth-busy:times=1")
    assert vendor.refresh(ACCOUNTS).exit_code == 0
    assert vendor.asked() == {"POST /oauth/token": 2, "GET /customers/me/accounts": 1}


def test_a_token_about_to_end_is_renewed_once_for_all_in_flight(vendor):
    vendor.server.faults.set("expire-token:s=59")
    assert vendor.refresh(CHAINS).exit_code == 0
    assert vendor.asked()["POST /oauth/token"] == len(SYMBOLS)
    vendor.server.faults.set("expire-token:s=61")
    vendor.server.faults.set("html-401:path=/option-chains,times=1")
    assert vendor.refresh(CHAINS, force=True).exit_code == 0
    assert vendor.asked()["POST /oauth/token"] == 2


def test_what_one_is_not_entitled_to_fails_alone(vendor):
    vendor.server.faults.set("forbidden:path=/market-metrics")
    outcome = vendor.refresh(ACCOUNTS, METRICS)
    assert outcome.exit_code == 1
    assert outcome_of(outcome, ACCOUNTS).error is None
    said = "/market-metrics: status 403: not entitled: User not permitted access"
    assert reason(vendor, METRICS) == f"last attempt failed: {said}"
    assert vendor.refresh(METRICS).exit_code == 3


def test_an_unknown_symbol_withholds_nothing_of_the_others(vendor):
    asked = "select symbol from market_metrics where symbol in ({})"
    done = vendor.lab.ttapi("sql", "--csv", "-c", asked.format("'SPY', 'NOSUCH'"))
    assert (done.returncode, done.stdout) == (0, "symbol\nSPY\n")
    assert "NOSUCH: /market-metrics: the vendor does not know this symbol" in done.stderr
    row = vendor.status(METRICS)
    assert (row["verdict"], len(row["reasons"])) == ("fresh", 1)
    assert row["reasons"][0].startswith("1 of 2 failed: NOSUCH: ")


def test_an_unknown_symbol_is_told_again_and_not_asked_again_within_the_ttl(vendor):
    asked = "select symbol from market_metrics where symbol in ({})"
    first = vendor.lab.ttapi("sql", "-c", asked.format("'NOSUCH'"))
    assert (first.returncode, first.stdout) == (1, "")
    assert "--no-refresh answers from what is there" in first.stderr
    assert vendor.asked()["GET /market-metrics"] == 1
    said = "NOSUCH: /market-metrics: the vendor does not know this symbol"
    alone = vendor.lab.ttapi("sql", "-c", asked.format("'NOSUCH'"))
    assert (alone.returncode, alone.stdout, alone.stderr) == (1, "", first.stderr)
    assert vendor.asked() == {}
    both = vendor.lab.ttapi("sql", "--csv", "-c", asked.format("'SPY', 'NOSUCH'"))
    assert (both.returncode, both.stdout, both.stderr.count(said)) == (0, "symbol\nSPY\n", 1)
    assert vendor.asked()["GET /market-metrics"] == 1
    again = vendor.lab.ttapi("sql", "--csv", "-c", asked.format("'SPY', 'NOSUCH'"))
    assert (again.returncode, again.stdout, again.stderr.count(said)) == (0, "symbol\nSPY\n", 1)
    held = vendor.lab.ttapi("sql", "--no-refresh", "--csv", "-c", asked.format("'NOSUCH'"))
    assert (held.returncode, held.stdout) == (0, "symbol\n")
    done = vendor.lab.ttapi("refresh", "market_metrics", "--symbols", "SPY,NOSUCH")
    assert (done.returncode, "2 slices held, 1 of them unknown: NOSUCH" in done.stderr) == (0, True)
    assert vendor.asked() == {}
    assert vendor.status(METRICS)["reasons"] == ["its source does not know NOSUCH"]


def test_an_unknown_symbol_is_asked_again_when_it_must_be_and_may_be_known_then(vendor):
    symbols, later = ("SPY", "GLD"), NOW + timedelta(hours=2)
    vendor.server.faults.set("missing-symbols:count=28")
    gone = vendor.refresh(METRICS, symbols=("GLD",))
    assert (gone.exit_code, vendor.asked()["GET /market-metrics"]) == (1, 1)
    assert vendor.refresh(METRICS, symbols=("GLD",)).exit_code == 0
    assert vendor.asked() == {}
    vendor.server.faults.clear()
    assert vendor.refresh(METRICS, symbols=symbols, now=later).exit_code == 0
    assert [row[0] for row in vendor.rows(METRICS)] == ["GLD", "SPY"]
    assert vendor.status(METRICS, now=later)["reasons"] == []


def test_that_not_one_of_many_symbols_is_known_is_not_believed(vendor):
    vendor.server.faults.set("missing-symbols:count=28")
    for _ in range(2):
        assert vendor.refresh(METRICS, symbols=("SPY", "GLD")).exit_code == 1
        assert vendor.asked()["GET /market-metrics"] == 1


def test_what_is_held_stays_fresh_and_a_failed_attempt_is_told(vendor):
    assert vendor.refresh(METRICS).exit_code == 0
    vendor.server.faults.set("drift:field=symbol")
    outcome = vendor.refresh(METRICS, force=True)
    assert outcome.exit_code == 1
    failed = outcome_of(outcome, METRICS).failed_units
    assert len(failed) == len(SYMBOLS)
    row = vendor.status(METRICS)
    assert row["verdict"] == "fresh"
    assert row["reasons"] == [
        f"last attempt failed: none of {len(failed)} slices was answered: {failed[0]}"
    ]


def test_a_call_that_answers_many_symbols_is_one_call(vendor):
    outcome = vendor.refresh(METRICS)
    done = outcome_of(outcome, METRICS)
    assert (done.source_calls, done.slices_asked) == (1, len(SYMBOLS))


def test_unknown_symbols_are_named_and_the_others_come(vendor):
    outcome = vendor.refresh(CHAINS, METRICS, symbols=("SPY", "NOSUCH", "BRK/B"))
    assert outcome.exit_code == 1
    spelling = "BRK/B: symbols are written as ttapi does: BRK.B"
    assert outcome_of(outcome, CHAINS).failed_units == (
        spelling,
        "NOSUCH: /option-chains/{symbol}/nested: the vendor does not know this symbol",
    )
    assert outcome_of(outcome, METRICS).failed_units == (
        spelling,
        "NOSUCH: /market-metrics: the vendor does not know this symbol",
    )
    assert [row[0] for row in vendor.rows(METRICS)] == ["SPY"]
    assert reason(vendor, METRICS) == f"2 of 3 failed: {spelling}"


def test_a_closed_market_is_not_asked_and_status_says_when_it_is(vendor):
    assert vendor.refresh(CANDLES).exit_code == 0
    assert sum(vendor.asked().values()) > 1
    saturday = NOW + timedelta(days=1)
    outcome = vendor.refresh(CANDLES, now=saturday)
    assert (outcome.exit_code, vendor.asked()) == (0, {})
    row = vendor.status(CANDLES, now=saturday)
    assert (row["verdict"], row["reasons"], row["due_at"]) == ("fresh", [], "2024-06-17T20:45:00Z")


def test_a_server_that_is_down_is_given_up_once_and_its_data_served_with_its_age(vendor):
    vendor.lab.environ["TTAPI_TASTYTRADE_GIVE_UP_S"] = "0.5"
    query = "select symbol from market_metrics where symbol in ('AAPL', 'SPY') order by 1"
    assert vendor.refresh(ACCOUNTS, METRICS).exit_code == 0
    vendor.asked()
    vendor.server.faults.set("down")
    later = NOW + timedelta(hours=3)
    outcome = vendor.refresh(ACCOUNTS, METRICS, BALANCES, now=later)
    assert (outcome.exit_code, list(vendor.asked())) == (3, ["POST /oauth/token"])
    said = "POST /oauth/token failed"
    assert said in outcome_of(outcome, ACCOUNTS).error
    for dataset in (METRICS, BALANCES):
        assert outcome_of(outcome, dataset).error.endswith("; not asked again in this command")
    assert said in reason(vendor, METRICS, now=later)
    vendor.lab.now = later
    done = vendor.lab.ttapi("sql", "--format", "csv", "-c", query)
    assert (done.returncode, done.stdout) == (0, "symbol\nAAPL\nSPY\n")
    assert "raw.tastytrade_market_metrics" in done.stderr
    assert "3 h" in done.stderr
    vendor.lab.now = NOW + timedelta(days=12)
    done = vendor.lab.ttapi("sql", "-c", query)
    assert done.returncode == 4
    assert said in done.stderr
    vendor.server.faults.clear()
    assert vendor.lab.ttapi("sql", "-c", query).returncode == 0
