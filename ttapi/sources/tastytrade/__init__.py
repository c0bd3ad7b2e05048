# SPDX-License-Identifier: Apache-2.0
"""tastytrade's REST interface: accounts, instruments, chains, metrics, events."""

from __future__ import annotations

from ttapi.sources.tastytrade.source import TastytradeSource

__all__ = ["TastytradeSource"]
