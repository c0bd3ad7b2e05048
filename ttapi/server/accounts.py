# SPDX-License-Identifier: Apache-2.0
"""Users of a daemon: their roles and passwords, their logins, and the tokens of these.

A login is what a password, or a code that is good once, gives: an access token for a quarter of an hour
and a refresh token that is good once, for the next pair. One that is shown again was stolen, or its
thief was faster: the login ends. What a token may is looked up in the file at each use, so that what
is taken back there is taken back at once.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ttapi.errors import UnknownNameError, UsageError, did_you_mean
from ttapi.server.auth import ROLES, Identity
from ttapi.server.private_document import PrivateDocument
from ttapi.server.signing import ACCESS, ACCESS_S, LOGIN_S, REFRESH, Claims, SigningKeys

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger("ttapi.server")

OWNER = "bootstrap"
"""Who shows the token that the daemon was started with, or a code given for it: role admin."""
CODE_S = 120
PASSWORD = range(12, 1025)
"""Characters of a password."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED = frozenset({OWNER, "scheduler", "nobody", "local"})
_HASHING = threading.BoundedSemaphore(2)
"""Of passwords at a time: each takes 64 MiB."""


@dataclass(frozen=True)
class User:
    """One who may ask the daemon."""

    name: str
    role: str
    made_at: str
    """ISO instant, UTC."""
    disabled_at: str | None
    """None: enabled."""
    logins: int
    """That have not ended."""


@dataclass(frozen=True)
class TokenPair:
    """What a login is answered with."""

    user: str
    role: str
    access_token: str
    refresh_token: str
    expires_in_s: int
    """Of the access token."""

    def __repr__(self) -> str:
        return f"TokenPair({self.user}, ***)"


class RefusedLogin(Exception):  # noqa: N818 - it is an answer that is expected
    """Nobody is let in; `why` is for the audit log, never for who asked."""

    def __init__(self, user: str, why: str) -> None:
        super().__init__(why)
        self.user, self.why = user, why


class Accounts:
    """The users of one home; threads and processes may share them."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float] = time.time,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """`now`: seconds since 1970, UTC. `hasher`: of passwords; argon2id as RFC 9106 advises."""
        self._document = PrivateDocument(folder / "users.json")
        self._keys = SigningKeys(folder / "signing_keys.json", now)
        self._now = now
        self._hasher = hasher or PasswordHasher()
        self._nobody = ""

    # What the command does.

    def users(self) -> list[User]:
        """All of them, by name."""
        document, now = self._document.read(), self._now()
        logins = [
            one["user"] for one in document.get("logins", {}).values() if now < one["ends_at"]
        ]
        return [
            User(name, one["role"], one["made_at"], one["disabled_at"], logins.count(name))
            for name, one in sorted(document.get("users", {}).items())
        ]

    def count(self) -> int:
        """How many are enabled."""
        users = self._document.read().get("users", {})
        return sum(one["disabled_at"] is None for one in users.values())

    def add(self, name: str, role: str, password: str) -> None:
        """Nothing; `name` is a user, enabled again where it was disabled. *Raises* UsageError."""
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise UsageError(
                f"{name!r} is no name of a user",
                hint="small letters, digits and ._- work, 64 at most",
            )
        if role not in ROLES:
            raise UsageError(f"{role!r} is no role", hint=f"one of {', '.join(ROLES)}")
        if len(password) not in PASSWORD:
            raise UsageError(
                f"a password of {len(password)} characters is refused",
                hint=f"{PASSWORD.start} to {PASSWORD.stop - 1} work",
            )
        digest = self._hashed(password)
        with self._document.changing() as document:
            users = document.setdefault("users", {})
            if name in users and users[name]["disabled_at"] is None:
                raise UsageError(
                    f"{name} is a user already",
                    hint="ttapi user disable NAME first, then another role or password",
                )
            made_at = users.get(name, {}).get("made_at") or self._instant()
            users[name] = {
                "role": role, "password": digest, "made_at": made_at, "disabled_at": None,
            }  # fmt: skip

    def disable(self, name: str) -> None:
        """Nothing; `name` is let in no more, and its tokens are good for nothing."""
        self._require(name)
        with self._document.changing() as document:
            user = document["users"][name]
            user["disabled_at"] = user["disabled_at"] or self._instant()
            _end_logins(document, name)

    def rotate_keys(self) -> str:
        """The id of the key that signs from here on."""
        return self._keys.rotate()

    def issue(self, name: str) -> TokenPair:
        """Tokens of a new login of `name`, for whom the machine's owner asks. *Raises* UsageError."""
        self._require(name, is_enabled=True)
        return self._begin(name)

    def forget_owner(self) -> None:
        """Nothing; what was given for an earlier daemon's token has ended with it."""
        if any(self._document.read().get(part) for part in ("logins", "codes")):
            with self._document.changing() as document:
                _end_logins(document, OWNER)

    # What is asked over HTTP.

    def identify(self, token: str) -> Identity | None:
        """Whose access token it is; None: nobody's."""
        claims = self._keys.verified(ACCESS, token)
        if claims is None or (role := self._role(claims)) is None:
            return None

        def is_good() -> bool:
            try:
                return self._now() < claims.ends_at and bool(self._role(claims) == role)
            except UsageError:  # a file that cannot be trusted any more
                return False

        return Identity(claims.user, role, claims.login, is_good)

    def login(self, name: str, password: str) -> TokenPair:
        """Tokens for a password. *Raises* RefusedLogin, as late for a name that nobody has."""
        user = self._document.read().get("users", {}).get(name)
        is_right = self._is_password(user["password"] if user else self._nobodys(), password)
        if user is None or not is_right:
            raise RefusedLogin(name if user else "", "wrong password" if user else "unknown user")
        if user["disabled_at"] is not None:
            raise RefusedLogin(name, "disabled")
        return self._begin(name)

    def refresh(self, token: str) -> TokenPair:
        """The next pair of a login. *Raises* RefusedLogin; a token used before ends its login."""
        claims = self._keys.verified(REFRESH, token)
        if claims is None:
            raise RefusedLogin("", "no refresh token")
        with self._document.changing() as document:
            login = document.get("logins", {}).get(claims.login)
            if login is None or login["user"] != claims.user:
                raise RefusedLogin(claims.user, "the login has ended")
            is_reused = login["rotation"] != claims.rotation
            if is_reused:
                del document["logins"][claims.login]
            else:
                login["rotation"] += 1
        if is_reused:
            raise RefusedLogin(claims.user, "refresh token used again: the login was ended")
        return self._pair(claims.user, claims.login, login["rotation"], login["ends_at"])

    def logout(self, caller: Identity) -> bool:
        """Whether a login ended: its tokens are good for nothing."""
        with self._document.changing() as document:
            return document.get("logins", {}).pop(caller.login, None) is not None

    def give_code(self, name: str) -> str:
        """A code that gives `name` one login, within two minutes: for a browser, which has no token yet."""
        if name != OWNER:
            self._require(name, is_enabled=True)
        code = secrets.token_urlsafe(24)
        with self._document.changing() as document:
            self._forget_ended(document)
            ends_at = int(self._now()) + CODE_S
            document.setdefault("codes", {})[_digest(code)] = {"user": name, "ends_at": ends_at}
        return code

    def exchange(self, code: str) -> TokenPair:
        """Tokens for a code, which is good no more. *Raises* RefusedLogin."""
        digest, found = _digest(code), None
        if digest in self._document.read().get("codes", {}):
            with self._document.changing() as document:
                found = document.get("codes", {}).pop(digest, None)
        if found is None or self._now() >= found["ends_at"]:
            raise RefusedLogin("" if found is None else found["user"], "no code that is good")
        return self._begin(found["user"])

    def _begin(self, name: str) -> TokenPair:
        login, ends_at = secrets.token_hex(16), int(self._now()) + LOGIN_S
        with self._document.changing() as document:
            self._forget_ended(document)
            # Disabled while the password was looked at.
            if name != OWNER and document["users"][name]["disabled_at"] is not None:
                raise RefusedLogin(name, "disabled")
            logins = document.setdefault("logins", {})
            logins[login] = {"user": name, "rotation": 0, "ends_at": ends_at}
        return self._pair(name, login, 0, ends_at)

    def _pair(self, name: str, login: str, rotation: int, ends_at: int) -> TokenPair:
        access_ends_at = min(int(self._now()) + ACCESS_S, ends_at)
        access = self._keys.sign(ACCESS, Claims(name, login, rotation, access_ends_at))
        refresh = self._keys.sign(REFRESH, Claims(name, login, rotation, ends_at))
        role = "admin" if name == OWNER else self._document.read()["users"][name]["role"]
        return TokenPair(name, role, access, refresh, access_ends_at - int(self._now()))

    def _role(self, claims: Claims) -> Any:
        """The role of who shows a token that says `claims`; None: it was taken back."""
        document = self._document.read()
        login = document.get("logins", {}).get(claims.login)
        if login is None or login["user"] != claims.user or self._now() >= login["ends_at"]:
            return None
        if claims.user == OWNER:
            return "admin"
        user = document.get("users", {}).get(claims.user)
        return user["role"] if user and user["disabled_at"] is None else None

    def _require(self, name: str, *, is_enabled: bool = False) -> None:
        users = {one.name: one for one in self.users()}
        if name not in users:
            hint = did_you_mean(name, users) or "ttapi user list names them"
            raise UnknownNameError(f"{name!r} is no user", hint=hint)
        if is_enabled and users[name].disabled_at is not None:
            raise UsageError(f"{name} is disabled", hint="ttapi user add NAME enables it again")

    def _forget_ended(self, document: dict[str, Any]) -> None:
        now = self._now()
        for part in ("logins", "codes"):
            found = document.get(part, {})
            document[part] = {key: one for key, one in found.items() if now < one["ends_at"]}

    def _hashed(self, password: str) -> str:
        with _HASHING:
            return self._hasher.hash(password)

    def _nobodys(self) -> str:
        """The digest that a password is held against where nobody has the name."""
        if not self._nobody:
            self._nobody = self._hashed(secrets.token_urlsafe(24))
        return self._nobody

    def _is_password(self, digest: str, password: str) -> bool:
        try:
            with _HASHING:
                return self._hasher.verify(digest, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _instant(self) -> str:
        return datetime.fromtimestamp(int(self._now()), UTC).isoformat().replace("+00:00", "Z")


def _end_logins(document: dict[str, Any], name: str) -> None:
    for part in ("logins", "codes"):
        found = document.get(part, {})
        document[part] = {key: one for key, one in found.items() if one["user"] != name}


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogateescape")).hexdigest()
