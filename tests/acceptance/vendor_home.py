# SPDX-License-Identifier: Apache-2.0
"""A home whose tastytrade is the simulated one: refreshed as a command does, its calls counted."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.cli.report import status_lines
from ttapi.refresh.running.runner import run_refresh
from ttapi.refresh.running.steps import RefreshRequest
from ttapi.simulator.server import VendorServer

if TYPE_CHECKING:
    from pathlib import Path

SYMBOLS = ("AAPL", "IWM", "SPX", "SPY")
CHAINS, METRICS = "raw.tastytrade_chains", "raw.tastytrade_market_metrics"
ACCOUNTS, EVENTS = "raw.tastytrade_accounts", "raw.tastytrade_events"
CANDLES = "raw.dxlink_candles"
PATHS = {
    CHAINS: "/option-chains/{}/nested",
    METRICS: "/market-metrics",
    ACCOUNTS: "/customers/me/accounts",
}


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

    def refresh(self, *targets, symbols=SYMBOLS, now=None, force=False, spaced=0.0):
        """What one refresh came to."""
        del spaced
        workspace = self.lab.workspace(symbols=frozenset(symbols), **({"now": now} if now else {}))
        return run_refresh(workspace, RefreshRequest(targets, wait_s=0, force=force))

    def status(self, dataset, now=None):
        """`ttapi status` of one dataset: verdict, reasons, when it is due."""
        workspace = self.lab.workspace(**({"now": now} if now else {}))
        (text,) = status_lines(workspace, dataset, as_json=True)
        (row,) = json.loads(text)
        return row

    def rows(self, dataset):
        """What is current in a dataset, by unit."""
        return self.lab.rows(
            f"select u.key, count(*) from {dataset} as r join catalog.units as u using (unit_id)"
            " where r.replaced_at is null group by all order by all"
        )

    def asked(self):
        """How often the server was asked what, since the last look."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return Counter(json.loads(line)["what"] for line in lines)

    def quarantined(self):
        """The refused answers that were kept."""
        return sorted((self.root / "journal" / "quarantine").glob("*"))


@contextmanager
def vendor_home(lab, market, *faults, **arguments):
    """`lab` with a server of its own."""
    log = lab.data / "requests.jsonl"
    with VendorServer(market, faults=faults, request_log=log, **arguments) as server:
        grant = server.credentials.grant
        lab.environ |= {
            "TTAPI_TASTYTRADE_BASE_URL": server.base_url,
            "TTAPI_TASTYTRADE_CLIENT_SECRET": grant.client_secret,
            "TTAPI_TASTYTRADE_REFRESH_TOKEN": grant.refresh_token,
            "TTAPI_TASTYTRADE_REQUESTS_PER_S": "1000",
            "TTAPI_TASTYTRADE_GIVE_UP_S": "0.5",
        }
        yield VendorHome(lab, server, log)
