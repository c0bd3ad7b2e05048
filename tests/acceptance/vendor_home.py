# SPDX-License-Identifier: Apache-2.0
"""A home whose tastytrade is the simulated one: refreshed as a command does, its calls counted."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vendor_settings import patient_settings_of

from ttapi.cli.report import status_lines
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import run_refresh
from ttapi.simulator.server import VendorServer

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
"""A Friday evening, after the close."""
SYMBOLS = ("AAPL", "IWM", "SPX", "SPY")
CHAINS, METRICS = "raw.tastytrade_chains", "raw.tastytrade_market_metrics"
ACCOUNTS, BALANCES = "raw.tastytrade_accounts", "raw.tastytrade_balances"
CANDLES = "raw.dxlink_candles"


@dataclass
class VendorHome:
    """A home, the server it asks, and the server's log."""

    lab: Any
    server: VendorServer
    log: Path

    @property
    def root(self) -> Path:
        """The home's folder."""
        return self.lab.home.root

    def refresh(self, *targets, symbols=SYMBOLS, now=NOW, force=False):
        """What one refresh came to, as the command has it."""
        environment = self.lab.environment(symbols=frozenset(symbols), now=now)
        return run_refresh(environment, RefreshRequest(targets, wait_s=0, force=force))

    def status(self, dataset, now=NOW):
        """What `ttapi status` says of one dataset."""
        lines = status_lines(self.lab.environment(now=now), dataset, as_json=True)
        (row,) = json.loads("".join(lines))
        return row

    def rows(self, dataset):
        """Number and content of the rows that are current in a dataset, by unit."""
        return self.lab.rows(
            f"select u.key, count(*), bit_xor(hash(r)) from {dataset} as r join catalog.units as u"
            " using (unit_id) where r.replaced_at is null group by u.key order by u.key"
        )

    def asked(self):
        """How often the server was asked what, since the last look."""
        lines = self.log.read_text().splitlines()
        with self.log.open("r+") as stream:
            stream.truncate(0)
        return Counter(json.loads(line)["what"] for line in lines)

    def quarantined(self):
        """The refused answers that were kept."""
        return sorted((self.root / "journal" / "quarantine").glob("*"))


def outcome_of(outcome, dataset):
    """What became of one dataset in a refresh."""
    (found,) = (done for done in outcome.datasets if done.dataset == dataset)
    return found


@contextmanager
def vendor_home(lab, market, *faults, **arguments):
    """`lab` with a server of its own."""
    log = lab.data / "requests.jsonl"
    with VendorServer(market, faults=faults, request_log=log, **arguments) as server:
        lab.environ |= patient_settings_of(server)
        yield VendorHome(lab, server, log)
