# SPDX-License-Identifier: Apache-2.0
"""A simulated feed of frames made beforehand, and homes that record it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from ttapi.api import RecordRequest, record
from ttapi.market.dxfeed import event_index
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
SYMBOLS = ("SPY", "AAPL", "BRK.B")


@pytest.fixture(scope="session")
def small_market():
    """Thirty symbols at one moment."""
    return VendorMarket(7, NOW, symbols=30)


@pytest.fixture
def pouring(small_market):
    """Serves a firehose: `with pouring(limit=1000) as served`; `served.truth` is what was sent."""

    @contextmanager
    def serve(*faults, **facts):
        firehose = Firehose(**({"per_s": 50_000.0, "channels": 2} | facts))
        with VendorServer(
            small_market, vendors=["dxlink"], faults=faults, firehose=firehose
        ) as server:
            server.truth, server.firehose = firehose.truth, firehose
            yield server

    return serve


def settings_of(served):
    """What a home must be told to reach the feed."""
    return {"TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token}  # fmt: skip


class Counting:
    """Ends a recording once so many of the prints that the firehose numbered have arrived."""

    def __init__(self, served, count):
        self.served, self.left = served, count

    def put(self, batch):
        history = self.served.firehose.history
        if history is not None:
            first = event_index(history.first_time)
            self.left -= sum(n >= first for n in batch.rows["tick_id"].to_pylist())
        if self.left <= 0:
            self.served.stop()


@pytest.fixture
def recorded():
    """Records into a lab what a server sends: the outcome."""

    def run(
        lab,
        served,
        *,
        kinds=("quotes", "time_and_sales"),
        on_first=None,
        numbered=None,
        hub=None,
        **facts,
    ):
        lab.environ |= settings_of(served)
        told = []

        def tell(counts, generation):
            if on_first and not told:
                on_first()
            told.append((counts.stored, generation))

        # The time is a way out where a test is wrong; none of them needs it.
        request = RecordRequest(SYMBOLS, kinds, **({"for_s": 120.0} | facts))
        outcome = record(
            lab.environment(),
            request,
            environ=lab.variables,
            on_published=tell,
            hub=hub or (numbered and Counting(served, numbered)),
            on_begun=numbered and (lambda stop: setattr(served, "stop", stop)),
        )
        lab.published = told
        return outcome

    return run
