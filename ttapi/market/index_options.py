# SPDX-License-Identifier: Apache-2.0
"""What the exchanges' contract specifications say of options on indices (Cboe)."""

from __future__ import annotations

EUROPEAN_INDICES = frozenset({"SPX", "XSP", "XEO", "NDX", "XND", "RUT", "MRUT", "DJX", "VIX"})
"""Underlyings whose options are European; of index options OEX alone is American."""
AMERICAN_INDEX = "OEX"
AM_ROOTS = frozenset({"SPX", "NDX", "RUT", "VIX", "VIXW", "DJX"})
"""Roots that settle by opening prices; every other one by closing prices."""
