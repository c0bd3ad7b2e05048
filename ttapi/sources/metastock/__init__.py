# SPDX-License-Identifier: Apache-2.0
"""The source `metastock`."""

from __future__ import annotations

from ttapi.sources.metastock.source import MetastockSource

__all__ = ["MetastockSource"]
