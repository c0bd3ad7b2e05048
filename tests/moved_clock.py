# SPDX-License-Identifier: Apache-2.0
"""A clock for tests of several rooms: time passes when the test says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class MovedClock:
    """Says `now`, which the test moves."""

    now: float = 0.0

    def __call__(self):
        return self.now
