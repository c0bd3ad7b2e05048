# SPDX-License-Identifier: Apache-2.0
"""Signed tokens (JWT, RFC 9068): made and looked at with keys that lie in the home.

One algorithm, Ed25519, which RFC 9864 names for what was EdDSA; a token chooses neither it nor a key: its
`kid` is looked up among those of the home, and a header that holds anything more is refused.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from ttapi.server.private_document import PrivateDocument

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from joserfc.jwk import GuestProtocol

ACCESS, REFRESH = "at+jwt", "rt+jwt"
"""What a token is for: its header's `typ`."""
ACCESS_S = 15 * 60
LOGIN_S = 14 * 24 * 3600
"""How long a login lasts, however often its tokens are renewed."""
KEY_S = 90 * 24 * 3600
"""After which a new key signs."""
ISSUER = "ttapi"
_ALGORITHM = "Ed25519"
_HEADER = {"alg", "kid", "typ"}
_CLAIMS = {"iss", "aud", "sub", "sid", "rot", "iat", "nbf", "exp", "jti"}
_LENGTH = 2_048
_REMEMBERED = 4_096
"""Signatures of tokens that were looked at last and are good."""
LEEWAY_S = 5
"""By which clocks of processes of one machine may differ."""


@dataclass(frozen=True)
class Claims:
    """What a token that is good says."""

    user: str
    login: str
    """The login that it is of."""
    rotation: int
    """How many times that login was renewed before."""
    ends_at: int
    """Seconds since 1970, UTC."""


class SigningKeys:
    """The keys of one home; processes may share them."""

    def __init__(self, file: Path, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970, UTC."""
        self._document = PrivateDocument(file)
        self._now = now
        self._lock = threading.Lock()
        self._of: object = None
        """The version of the document that what follows was made of."""
        self._keys: dict[str, OKPKey] = {}
        self._good: OrderedDict[bytes, Claims] = OrderedDict()

    def sign(self, kind: str, claims: Claims) -> str:
        """The token of `kind` that says `claims`. *Raises* UsageError for keys that cannot be used."""
        key = self._signing_key()
        now = int(self._now())
        said = {
            "iss": ISSUER,
            "aud": kind,
            "sub": claims.user,
            "sid": claims.login,
            "rot": claims.rotation,
            "iat": now,
            "nbf": now,
            "exp": claims.ends_at,
            "jti": secrets.token_hex(8),
        }
        header = {"alg": _ALGORITHM, "kid": key.kid, "typ": kind}
        return jwt.encode(header, said, key, algorithms=[_ALGORITHM])

    def verified(self, kind: str, token: str) -> Claims | None:
        """What a token of `kind` says; None: it is not good, whatever is wrong with it.

        *Raises* UsageError for keys that cannot be used.
        """
        if len(token) > _LENGTH or not token.isascii():
            return None
        keys = self._known()
        digest = hashlib.sha256(f"{kind} {token}".encode()).digest()
        with self._lock:
            found = self._good.get(digest)
        if found is None:
            found = self._read(kind, token, keys)
            if found is None:
                return None
            with self._lock:
                self._good[digest] = found
                if len(self._good) > _REMEMBERED:
                    self._good.popitem(last=False)
        return found if self._now() < found.ends_at else None

    def rotate(self) -> str:
        """The id of a new key, which signs from here on; older ones are known until their tokens have ended."""
        with self._document.changing() as document:
            return self._renewed(document)

    def _renewed(self, document: dict[str, Any]) -> str:
        now = int(self._now())
        key = OKPKey.generate_key("Ed25519", auto_kid=True)
        kept = [one for one in document.get("keys", []) if _is_known(one, now)]
        for one in kept:
            one["retired_at"] = one["retired_at"] or now
        made = {"jwk": key.as_dict(private=True), "made_at": now, "retired_at": None}
        document["keys"] = [*kept, made]
        return str(key.kid)

    def _signing_key(self) -> OKPKey:
        """The newest key, made where there is none that is young."""
        if not self._is_young(self._document.read()):
            with self._document.changing() as document:
                if not self._is_young(document):
                    self._renewed(document)
        known = self._known()
        return known[next(reversed(known))]

    def _is_young(self, document: dict[str, Any]) -> bool:
        keys = document.get("keys") or [{"made_at": 0}]
        return bool(self._now() < keys[-1]["made_at"] + KEY_S)

    def _known(self) -> dict[str, OKPKey]:
        """Keys whose tokens may be good, by id, the newest last."""
        document = self._document.read()
        now = self._now()
        with self._lock:
            if document is not self._of:
                self._of = document
                self._good.clear()
                found = [one["jwk"] for one in document.get("keys", []) if _is_known(one, now)]
                self._keys = {one["kid"]: OKPKey.import_key(one) for one in found}
            return self._keys

    def _read(self, kind: str, token: str, keys: dict[str, OKPKey]) -> Claims | None:
        def key_of(guest: GuestProtocol) -> OKPKey:
            header = guest.headers()
            if set(header) != _HEADER or header["typ"] != kind or header["kid"] not in keys:
                raise JoseError("no key of this home")
            return keys[header["kid"]]

        try:
            found = jwt.decode(token, key_of, algorithms=[_ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            # What is no token at all ends the library in ways of its own.
            return None
        now = self._now()
        if set(found) != _CLAIMS or found["iss"] != ISSUER or found["aud"] != kind:
            return None
        numbers = [found[name] for name in ("rot", "iat", "nbf", "exp")]
        if any(type(one) is not int for one in numbers) or found["nbf"] > now + LEEWAY_S:
            return None
        return Claims(found["sub"], found["sid"], found["rot"], found["exp"])


def _is_known(key: dict[str, Any], now: float) -> bool:
    """Whether a token that it signed may not have ended."""
    return key["retired_at"] is None or bool(now < key["retired_at"] + LOGIN_S)
