# SPDX-License-Identifier: Apache-2.0
"""Answers that cannot be used: what is stored stands, the answer is kept, the message says where and why."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import pytest
from vendor_home import ACCOUNTS, CHAINS, METRICS, NOW, outcome_of, vendor_home

from ttapi.home import Home
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

LATER = NOW + timedelta(hours=25)
CHAIN, METRIC, ACCOUNT = "/option-chains", "/market-metrics", "/customers/me/accounts"
PARTS = {CHAIN: CHAINS, METRIC: METRICS, ACCOUNT: ACCOUNTS}
ENDPOINTS = {CHAIN: "/option-chains/{symbol}/nested", METRIC: METRIC, ACCOUNT: ACCOUNT}
FIELDS = {CHAIN: "shares-per-contract", METRIC: "updated-at", ACCOUNT: "account-number"}
FAULTS = {
    "truncate": ("truncate:path={path},times=0", "status 200: no JSON \\(application/json\\)"),
    "a page": ("html-200:path={path},times=0", "status 200: no JSON \\(text/html\\)"),
    "too long": ("oversize:path={path},mb=70,times=0", "status 200: inflates to more than"),
    "a bomb": ("gzip-bomb:path={path},mb=40,times=0", "status 200: inflates to more than"),
    "drift": ("drift:path={path},field={field}", "status 200: field '{field}' is missing"),
    "a refusing page": ("html-401:path={path},times=0", "status 401: refused, with no JSON"),
}


@pytest.fixture(scope="module")
def loaded(template_home, tmp_path_factory, lab_type):
    """A home that holds accounts, chains and metrics since yesterday."""
    folder = tmp_path_factory.mktemp("vendor")
    home = Home(folder / "home")
    shutil.copytree(template_home.root, home.root, symlinks=True)
    (folder / "data").mkdir()
    with vendor_home(lab_type(home, folder / "data"), VendorMarket(7, NOW, symbols=28)) as vendor:
        assert vendor.refresh(*PARTS.values()).exit_code == 0
        yield vendor


@pytest.fixture
def vendor(loaded):
    """The loaded home; whatever goes wrong ends with the test."""
    loaded.asked()
    shutil.rmtree(loaded.root / "journal" / "quarantine", ignore_errors=True)
    yield loaded
    loaded.server.faults.clear()


@pytest.mark.parametrize("path", PARTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_answer_changes_nothing_and_is_kept(vendor, fault, path):
    spec, words = (text.format(path=path, field=FIELDS[path]) for text in FAULTS[fault])
    dataset, endpoint = PARTS[path], ENDPOINTS[path]
    before = vendor.rows(dataset)
    vendor.server.faults.set(spec)
    outcome = vendor.refresh(dataset, now=LATER)
    done = outcome_of(outcome, dataset)
    assert outcome.exit_code == (3 if fault == "a refusing page" else 1)
    assert vendor.rows(dataset) == before
    told = done.error or done.failed_units[0]
    assert re.search(re.escape(endpoint) + ": " + words, told), told
    kept = vendor.quarantined()
    assert f"journal/quarantine/{kept[0].name}" in "".join((told, *done.failed_units))
    assert {file.stat().st_mode & 0o777 for file in kept} == {0o600}
    first, _, body = kept[0].read_text().partition("\n")
    assert re.search(words.replace("status 200: ", ""), first), first
    assert body
    row = vendor.status(dataset, now=LATER)
    assert (row["verdict"], row["age_s"]) == ("failed", 25 * 3600)
    assert row["reasons"][-1] == f"last attempt failed: {told}"


def test_one_retyped_row_fails_alone(vendor):
    before = vendor.rows(METRICS)
    vendor.server.faults.set(f"retype:path={METRIC}")
    outcome = vendor.refresh(METRICS, now=LATER)
    done = outcome_of(outcome, METRICS)
    assert (outcome.exit_code, done.error) == (1, None)
    (failed,) = done.failed_units
    assert failed.startswith(
        "AAPL: /market-metrics: status 200: field 'implied-volatility-index' is a list, not number"
    )
    assert vendor.rows(METRICS) == before
    row = vendor.status(METRICS, now=LATER)
    assert row["verdict"] == "stale"
    assert row["reasons"] == ["1 slice ttl passed", f"1 of 4 failed: {failed}"]


def test_a_dataset_comes_back_when_its_vendor_does(vendor):
    outcome = vendor.refresh(*PARTS.values(), now=LATER)
    assert outcome.exit_code == 0
    assert {vendor.status(dataset, now=LATER)["verdict"] for dataset in PARTS.values()} == {"fresh"}
    assert vendor.quarantined() == []
