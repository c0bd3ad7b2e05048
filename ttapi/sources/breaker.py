# SPDX-License-Identifier: Apache-2.0
"""A circuit breaker an endpoint: after failures in a row nobody asks, then one probe asks alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from circuitbreaker import (  # type: ignore[import-untyped]  # it ships no types
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
)

from ttapi.errors import SourceDownError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
_PROBES = 3
"""Failed probes after which the endpoint counts as down, and waiting ends."""


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
        self._cause = ""

    async def call(self, send: Callable[[], Awaitable[T]]) -> T:
        """What `send` gives. *Raises* CircuitOpenError without sending while the circuit is open."""
        state = self._circuit.state
        if state == STATE_OPEN or (state == STATE_HALF_OPEN and self._is_probing):
            raise self._open()
        is_probe = state == STATE_HALF_OPEN
        # The library lets every caller through while half open: one is enough to find out.
        self._is_probing = self._is_probing or is_probe
        try:
            answer: T = await self._circuit.call_async(send)
        except BaseException as exc:
            if self._circuit.is_failure(type(exc), exc):
                self._cause = str(exc)
                self._failed_probes += is_probe
            raise
        else:
            self._failed_probes = 0
            return answer
        finally:
            self._is_probing = self._is_probing and not is_probe

    def _open(self) -> CircuitOpenError:
        wait = max(self._circuit.open_remaining, self._recovery_s / 10)
        is_given_up = self._failed_probes >= _PROBES
        return CircuitOpenError(self._endpoint, self._cause, None if is_given_up else wait)
