# SPDX-License-Identifier: Apache-2.0
"""How much a simulated vendor is asked, and how much it allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Counters:
    """Requests since the start, or since `reset`."""

    asked: int = 0
    """All that came."""
    served: int = 0
    """Answered below 400."""
    throttled: int = 0
    """Answered 429."""
    failed: int = 0
    """Answered otherwise, or broken off."""
    in_flight: int = 0
    """Being answered."""
    most_in_flight: int = 0

    def begin(self) -> None:
        """A request has come."""
        self.asked += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self, status: int) -> None:
        """It was answered so; 0: not at all."""
        self.in_flight -= 1
        if status == 429:
            self.throttled += 1
        elif 0 < status < 400:
            self.served += 1
        else:
            self.failed += 1

    def reset(self) -> None:
        """Count anew; what is in flight stays."""
        self.asked = self.served = self.throttled = self.failed = 0
        self.most_in_flight = self.in_flight


class Budget:
    """A token bucket: so many requests a second, as many at once after a second's rest."""

    def __init__(self, requests_per_s: float | None, clock: Callable[[], float]) -> None:
        self.requests_per_s = requests_per_s
        """None: as many as come."""
        self._clock = clock
        self._filled_at = clock()
        self._tokens = requests_per_s or 0.0

    def take(self) -> bool:
        """Whether one more request is allowed now."""
        if self.requests_per_s is None:
            return True
        now = self._clock()
        full = max(1.0, self.requests_per_s)
        gained = (now - self._filled_at) * self.requests_per_s
        self._tokens, self._filled_at = min(full, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
