# SPDX-License-Identifier: Apache-2.0
"""The outside world as Arrow batches: one plugin per vendor or kind of file."""

from __future__ import annotations

__all__: list[str] = []
