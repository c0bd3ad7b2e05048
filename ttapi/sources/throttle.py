# SPDX-License-Identifier: Apache-2.0
"""How fast a host is asked: a leaky bucket whose rate is halved by a 429 and recovers slowly.

tastytrade publishes no quota and sends no rate-limit header, so the pace is found by feeling.

Every endpoint has a circuit too: after failures in a row nobody asks, then one probe asks alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from aiolimiter import AsyncLimiter
from circuitbreaker import (  # type: ignore[import-untyped]  # it ships no types
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
)

from ttapi.errors import SourceDownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


T = TypeVar("T")
_PROBES = 3
"""Failed probes after which the endpoint counts as down, and nobody waits for it."""
_DOWN = 20
"""For how many times the pause between probes it does so; then one asks again."""


class CircuitOpenError(SourceDownError):
    """Nobody asks now; `wait_s` until a probe may, or None when probes have failed often enough."""

    def __init__(self, endpoint: str, cause: str, wait_s: float | None) -> None:
        super().__init__(f"{endpoint} does not answer: {cause}")
        self.wait_s = wait_s


class Breaker:
    """Of one endpoint; `is_failure` says which exceptions count against it."""

    def __init__(
        self,
        endpoint: str,
        *,
        failures: int,
        recovery_s: float,
        is_failure: Callable[[type[BaseException], BaseException], bool],
        clock: Callable[[], float],
    ) -> None:
        self._endpoint = endpoint
        self._circuit = CircuitBreaker(
            failure_threshold=failures,
            recovery_timeout=recovery_s,
            expected_exception=is_failure,
            name=endpoint,
        )
        self._recovery_s = recovery_s
        self._is_probing = False
        self._failed_probes = 0
        self._clock = clock
        self._down_until = 0.0
        self._cause = ""

    def refuse_when_open(self) -> None:
        """Nothing, or CircuitOpenError while nobody may ask."""
        state = self._circuit.state
        if (
            self._clock() < self._down_until
            or state == STATE_OPEN
            or (state == STATE_HALF_OPEN and self._is_probing)
        ):
            raise self._open()

    async def call(self, send: Callable[[], Awaitable[T]]) -> T:
        """What `send` gives. *Raises* CircuitOpenError without sending while the circuit is open."""
        self.refuse_when_open()
        is_probe = self._circuit.state == STATE_HALF_OPEN
        # The library lets every caller through while half open: one is enough to find out.
        self._is_probing = self._is_probing or is_probe
        try:
            answer: T = await self._circuit.call_async(send)
        except BaseException as exc:
            if self._circuit.is_failure(type(exc), exc):
                self._cause = str(exc)
                self._failed_probes += is_probe
                if self._failed_probes >= _PROBES:
                    self._down_until = self._clock() + _DOWN * self._recovery_s
                    self._failed_probes = 0
            raise
        else:
            self._failed_probes = 0
            return answer
        finally:
            self._is_probing = self._is_probing and not is_probe

    def _open(self) -> CircuitOpenError:
        wait = self._recovery_s
        is_down = self._clock() < self._down_until
        return CircuitOpenError(self._endpoint, self._cause, None if is_down else wait)
