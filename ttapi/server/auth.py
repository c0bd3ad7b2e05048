# SPDX-License-Identifier: Apache-2.0
"""Who asks, and how often one may: bearer tokens, roles, the pace of each caller.

A daemon begins with one token of role admin; the tokens of users are looked up in `accounts.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ttapi.errors import TtapiError
from ttapi.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("ttapi.server")

Role = Literal["viewer", "analyst", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "analyst", "operator", "admin")
"""Each may do what those before it may."""
ANYONE = "anyone"
"""The role of a route that needs none, and gives no data."""
_CALLERS_KEPT = 10_000


@dataclass(frozen=True)
class Identity:
    """Who is asking."""

    name: str
    role: Role
    login: str = ""
    """Of the token that was shown; empty: it is of none."""
    is_good: Callable[[], bool] = field(default=lambda: True, compare=False, repr=False)
    """Whether that is so still: the token has not ended, and was not taken back."""

    def may(self, role: str) -> bool:
        """Whether what needs `role` is allowed."""
        return role == ANYONE or ROLES.index(self.role) >= _rank(role)

    @property
    def sees_private(self) -> bool:
        """Whether relations that are private are there."""
        return self.may("operator")


NOBODY = Identity("nobody", "viewer")
"""Who asks where nobody is asked for a token."""


def _rank(role: str) -> int:
    return next((rank for rank, one in enumerate(ROLES) if one == role), len(ROLES))


class Tokens:
    """The tokens that are good, and whose they are."""

    def __init__(
        self, bootstrap: Secret, of_users: Callable[[str], Identity | None] = lambda _: None
    ) -> None:
        """`bootstrap`: of role admin, for as long as the daemon runs. `of_users`: whose another token is."""
        self._digest = _digest(bootstrap.reveal())
        self._of_users = of_users

    def identify(self, authorization: str | None) -> Identity | None:
        """Whose token an Authorization header bears; None: nobody's, whatever is wrong with it."""
        scheme, _, token = (authorization or "").partition(" ")
        # Compared in any case, so that a wrong scheme takes as long as a wrong token.
        is_known = hmac.compare_digest(_digest(token.strip()), self._digest)
        if scheme.lower() != "bearer":
            return None
        if is_known:
            return Identity("bootstrap", "admin")
        try:
            return self._of_users(token.strip())
        except TtapiError:
            # Nobody is let in by a file that cannot be trusted; who shows the daemon's own token is.
            log.exception("users cannot be looked up")
            return None


def new_token() -> Secret:
    """A token that nobody has had; no log shows it from here on."""
    return Secret(secrets.token_urlsafe(32))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class RateLimit:
    """How many requests each caller may still make: `burst` at once, `per_s` in the long run."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float]) -> None:
        """`clock`: seconds that never go back."""
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, caller: str) -> float:
        """0.0 where the request is allowed, and counted; else the seconds until one is."""
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(caller, (float(self._burst), now))
            left = min(float(self._burst), left + (now - at) * self._per_s)
            is_allowed = left >= 1.0
            self._left[caller] = (left - 1.0 if is_allowed else left, now)
            if len(self._left) > _CALLERS_KEPT:
                self._left.popitem(last=False)
            return 0.0 if is_allowed else (1.0 - left) / self._per_s


class LoginPace:
    """How often one may try to log in: under one name, and from one address."""

    def __init__(self, most: int = 5, clock: Callable[[], float] = time.monotonic) -> None:
        """`most`: under one name at once. `clock`: seconds that never go back."""
        self._of_name = RateLimit(1 / 30, most, clock)
        self._of_address = RateLimit(1 / 5, 4 * most, clock)

    def wait_s(self, name: str, address: str) -> float:
        """0.0 where the attempt is allowed, and counted; else the seconds until one is."""
        return self._of_address.wait_s(address) or (self._of_name.wait_s(name) if name else 0.0)
