# SPDX-License-Identifier: Apache-2.0
"""Instants: zone-aware UTC in Python, UTC without a zone in the file."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_instant(instant: datetime | None) -> datetime | None:
    """A naive UTC instant of the file as a zone-aware one."""
    return None if instant is None else instant.replace(tzinfo=UTC)


def stored_instant(instant: datetime) -> datetime:
    """A zone-aware instant as the file stores it: UTC, no zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)
