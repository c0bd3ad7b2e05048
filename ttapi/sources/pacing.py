# SPDX-License-Identifier: Apache-2.0
"""How fast a host is asked: a leaky bucket whose rate is halved by a 429 and recovers slowly.

tastytrade publishes no quota and sends no rate-limit header, so the pace is found by feeling.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.sources.traffic import Traffic

log = logging.getLogger("ttapi.http")
_SLOWEST = 1 / 64
"""Share of the allowed rate below which the pace is not lowered."""
_RECOVERED_A_SECOND = 1 / 60
"""Share of the allowed rate that comes back in a second without a 429: the whole of it in a minute."""
_BURST_S = 0.25
"""Seconds of the allowed rate that may go out at once after a pause."""
_DEAF_S = 1.0
"""After a 429 further ones of requests already on their way do not halve again."""


class Pace:
    """Requests a second to one host, at most `allowed_per_s`."""

    def __init__(self, allowed_per_s: float, traffic: Traffic, clock: Callable[[], float]) -> None:
        burst = max(1.0, allowed_per_s * _BURST_S)
        self._bucket = AsyncLimiter(burst, burst / allowed_per_s)
        self._allowed = allowed_per_s
        self._share = 1.0
        self._clock = clock
        self._changed_at = clock()
        self._traffic = traffic
        traffic.allowed_per_s = allowed_per_s
        traffic.pace_per_s = allowed_per_s

    @property
    def per_s(self) -> float:
        """Requests a second at this moment."""
        self._recover()
        return self._allowed * self._share

    async def turn(self) -> None:
        """Wait until the next request may go out."""
        self._recover()
        # A slower pace makes each request cost more of the bucket, which keeps leaking as it does.
        cost = 1.0 / self._share
        while cost > 0:
            part = min(cost, self._bucket.max_rate)
            await self._bucket.acquire(part)
            cost -= part

    def slow(self) -> None:
        """Halve the pace: the host said 429."""
        if self._share < 1 and self._clock() - self._changed_at < _DEAF_S:
            return
        self._recover()
        self._share = max(_SLOWEST, self._share / 2)
        self._changed_at = self._clock()
        self._traffic.pace_per_s = self._allowed * self._share
        log.warning("slowed", extra={"pace_per_s": self.per_s, "allowed_per_s": self._allowed})

    def settle(self) -> None:
        """Note the pace reached in the account of the traffic."""
        self._traffic.pace_per_s = self.per_s

    def _recover(self) -> None:
        now = self._clock()
        quiet = now - self._changed_at
        if self._share >= 1 or quiet < _DEAF_S:
            return
        self._share = min(1.0, self._share + _RECOVERED_A_SECOND * quiet)
        self._changed_at = now
        self._traffic.pace_per_s = self._allowed * self._share
