# SPDX-License-Identifier: Apache-2.0
"""A dxLink server over an invented market, for clients that were never told it is one."""

from __future__ import annotations

from ttapi.simulator.dxlink.session import DXLINK, DxLinkService, serve_dxlink

__all__ = ["DXLINK", "DxLinkService", "serve_dxlink"]
