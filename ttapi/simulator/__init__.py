# SPDX-License-Identifier: Apache-2.0
"""Markets and vendors that do not exist, for demonstrations and tests: seeded, deterministic."""

from __future__ import annotations

from ttapi.simulator.file_market import Flaw, MarketSummary, write_market

__all__ = ["Flaw", "MarketSummary", "write_market"]
