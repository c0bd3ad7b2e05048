# SPDX-License-Identifier: Apache-2.0
"""The source `dxlink`: dxFeed's candles over the WebSocket protocol dxLink."""

from __future__ import annotations

from ttapi.sources.dxlink.source import DxlinkSource

__all__ = ["DxlinkSource"]
