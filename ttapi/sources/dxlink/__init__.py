# SPDX-License-Identifier: Apache-2.0
"""The source `dxlink`: dxFeed's candles over the WebSocket protocol dxLink."""

from __future__ import annotations

__all__: list[str] = []
