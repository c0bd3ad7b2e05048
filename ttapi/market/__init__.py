# SPDX-License-Identifier: Apache-2.0
"""What the field knows: pure functions over values, and the data behind them."""

from __future__ import annotations

__all__: list[str] = []
