# SPDX-License-Identifier: Apache-2.0
"""Markets and vendors that do not exist, for demonstrations and tests: seeded, deterministic."""

from __future__ import annotations

from ttapi.simulator.ascii_files import Flaw
from ttapi.simulator.synthetic import MarketSummary, write_market

__all__ = ["Flaw", "MarketSummary", "write_market"]
