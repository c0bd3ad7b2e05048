# SPDX-License-Identifier: Apache-2.0
"""What the simulators can be told to do wrong: `mute:after=3,times=1`, by name with arguments.

How much a simulated vendor is asked, and how much it allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True)
class FaultKind:
    """One thing that can go wrong."""

    source: str
    """Which simulator does it: `tastytrade` or `dxlink`."""
    about: str
    arguments: Mapping[str, float | str] = field(default_factory=dict)
    """By name the default. `times`: how often it happens; 0: always."""


FAULTS: dict[str, FaultKind] = {
    "429-burst": FaultKind(
        "tastytrade", "so many requests are refused after so many", {"after": 20, "count": 10}
    ),
    "bad-gateway": FaultKind("tastytrade", "requests are answered 502", {"path": "", "times": 3}),
    "down": FaultKind("tastytrade", "every connection breaks before an answer"),
    "drift": FaultKind(
        "tastytrade", "a field has another name", {"path": "", "field": "updated-at"}
    ),
    "expire-token": FaultKind("tastytrade", "access tokens live so many seconds", {"s": 61}),
    "forbidden": FaultKind("tastytrade", "a path is answered 403", {"path": "/market-metrics"}),
    "gzip-bomb": FaultKind(
        "tastytrade", "a small body inflates to so many MB", {"path": "", "mb": 256, "times": 1}
    ),
    "html-200": FaultKind("tastytrade", "a page instead of JSON", {"path": "", "times": 1}),
    "html-401": FaultKind("tastytrade", "401 with a page", {"path": "", "times": 1}),
    "missing-fields": FaultKind(
        "tastytrade", "the first row lacks a field", {"path": "", "field": "updated-at"}
    ),
    "missing-symbols": FaultKind(
        "tastytrade", "so many symbols have no metrics and no chain", {"count": 4}
    ),
    "oauth-busy": FaultKind("tastytrade", "a good refresh is refused for now", {"times": 1}),
    "oversize": FaultKind("tastytrade", "a body of so many MB", {"path": "", "mb": 64, "times": 1}),
    "reset": FaultKind("tastytrade", "the connection breaks", {"path": "", "times": 1}),
    "retype": FaultKind("tastytrade", "numbers of the first row are lists", {"path": ""}),
    "revoked": FaultKind("tastytrade", "the grant is dead"),
    "slow": FaultKind("tastytrade", "answers take so many seconds", {"path": "", "s": 2}),
    "truncate": FaultKind("tastytrade", "the body ends half way", {"path": "", "times": 1}),
    "502-upgrade": FaultKind("dxlink", "the WebSocket is answered 502", {"times": 1}),
    "auto-empty-candles": FaultKind("dxlink", "candles of a contract AUTO come empty"),
    "close-1009": FaultKind(
        "dxlink", "messages longer than so many bytes close the socket", {"bytes": 2048}
    ),
    "drop-mid-snapshot": FaultKind(
        "dxlink", "the connection breaks after so many rows of a history", {"after": 50, "times": 1}
    ),
    "drop-feed": FaultKind(
        "dxlink",
        "the connection breaks after so many frames made beforehand",
        {"after": 5, "times": 1},
    ),
    "close-1006": FaultKind(
        "dxlink",
        "the connection ends without a close frame after so many frames made beforehand",
        {"after": 5, "times": 1},
    ),
    "duplicate-feed": FaultKind(
        "dxlink",
        "every frame made beforehand whose number it divides comes twice",
        {"every": 3, "times": 0},
    ),
    "duplicates": FaultKind("dxlink", "every candle comes twice"),
    "expire-feed": FaultKind(
        "dxlink",
        "the token ends after so many frames made beforehand: AUTH_STATE UNAUTHORIZED, and nothing more",
        {"after": 5, "times": 1},
    ),
    "fewer-fields": FaultKind("dxlink", "VWAP and impVolatility are not granted"),
    "gap-feed": FaultKind(
        "dxlink",
        "after so many frames made beforehand so many are never sent, then the connection breaks",
        {"after": 5, "count": 3, "times": 1},
    ),
    "late-rows": FaultKind("dxlink", "candles come out of order, one wrong and corrected later"),
    "mute": FaultKind(
        "dxlink",
        "the socket stays open and says nothing after so much data",
        {"after": 1, "times": 1},
    ),
    "nan": FaultKind("dxlink", "quotes lack prices at times, histories end in a row of NaN"),
    "one-event-per-array": FaultKind("dxlink", "each message holds one event"),
    "refuse-token": FaultKind("dxlink", "a good token is refused", {"times": 1}),
    "reorder-feed": FaultKind(
        "dxlink",
        "every frame made beforehand whose number it divides comes behind the next",
        {"every": 3, "times": 0},
    ),
    "reorder-fields": FaultKind("dxlink", "the fields are granted in another order"),
    "slow-auth": FaultKind("dxlink", "authorisation takes so many seconds", {"s": 0.5}),
    "snip": FaultKind("dxlink", "histories end after so many candles", {"at": 100}),
}
"""All kinds by name."""


@dataclass
class Fault:
    """One fault set, and how often it happened."""

    name: str
    arguments: dict[str, float | str]
    struck: int = 0

    def number(self, name: str) -> float:
        """An argument as a number."""
        return float(self.arguments[name])


def parse_fault(spec: str) -> Fault:
    """The fault `spec` names: `name` or `name:key=value,key=value`.

    *Raises* UsageError for an unknown name, argument or number.
    """
    name, _, text = spec.strip().partition(":")
    kind = FAULTS.get(name)
    if kind is None:
        raise UsageError(f"fault {name!r} is unknown", hint=f"known: {', '.join(sorted(FAULTS))}")
    arguments = dict(kind.arguments)
    for part in filter(None, text.split(",")):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in kind.arguments:
            hint = f"it takes {', '.join(kind.arguments) or 'no arguments'}"
            raise UsageError(f"fault {name!r} has no argument {key!r}", hint=hint)
        arguments[key] = value
        if not isinstance(kind.arguments[key], str):
            try:
                arguments[key] = float(value)
            except ValueError:
                raise UsageError(f"fault {name!r}: {key} = {value!r} is no number") from None
    return Fault(name, arguments)


class Faults:
    """The faults set at the moment; shared by all connections of a simulator."""

    def __init__(self, specs: Iterable[str] = ()) -> None:
        self._set: dict[str, Fault] = {}
        for spec in specs:
            self.set(spec)

    def set(self, spec: str) -> None:
        """Add a fault, or replace the one of its name."""
        fault = parse_fault(spec)
        self._set[fault.name] = fault

    def clear(self) -> None:
        """Let everything go right."""
        self._set.clear()

    def active(self, name: str) -> Fault | None:
        """The fault of that name, unless it happened as often as it should."""
        fault = self._set.get(name)
        if fault is None:
            return None
        times = float(fault.arguments.get("times", 0))
        return None if times and fault.struck >= times else fault

    def strike(self, name: str) -> Fault | None:
        """As `active`, and it counts as having happened."""
        fault = self.active(name)
        if fault is not None:
            fault.struck += 1
        return fault


_ENDINGS = ("drop-feed", "close-1006", "gap-feed", "expire-feed", "mute")
"""Faults after so many live frames; the first that is set happens."""


class LiveFaults:
    """What faults do to the live frames of one connection, which are counted from 1."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._late: list[str] = []

    def texts(self, text: str, count: int) -> list[str]:
        """What is sent instead of a frame: nothing, it alone, it twice, or with one before it that is late."""
        texts = [text, text] if self._divides("duplicate-feed", count) else [text]
        if self._late:
            texts, self._late = texts + self._late, []
        elif self._divides("reorder-feed", count):
            texts, self._late = [], texts
        return texts

    def ending(self, count: int) -> Fault | None:
        """The fault that happens behind this frame, after which no more are sent."""
        for name in _ENDINGS:
            fault = self._faults.active(name)
            if fault is not None and count >= fault.number("after"):
                return self._faults.strike(name)
        return None

    def _divides(self, name: str, count: int) -> bool:
        fault = self._faults.active(name)
        if fault is None or count % max(1, int(fault.number("every"))):
            return False
        return self._faults.strike(name) is not None


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
