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
