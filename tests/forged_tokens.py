# SPDX-License-Identifier: Apache-2.0
"""Tokens that nobody gave, or that are good no more: beside one that is good, by what is wrong with each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from joserfc import jwt
from joserfc.jwk import OKPKey

from ttapi.server.accounts import OWNER, RefusedLogin


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forgeries(good, jwk, now):
    """Tokens like `good`, an access token that is signed with `jwk`; none of them is good."""
    key, other = OKPKey.import_key(jwk), OKPKey.generate_key("Ed25519", auto_kid=True)
    head, body, signature = good.split(".")
    header, claims = json.loads(decoded(head)), json.loads(decoded(body))

    def signed(header=header, claims=claims, by=key, algorithm="Ed25519"):
        return jwt.encode(header, claims, by, algorithms=[algorithm])

    yield from forged_signatures(head, body, signature)
    yield from forged_keys(header, body, signature, key, other, signed=signed)
    for name in claims:
        yield signed(claims={k: v for k, v in claims.items() if k != name})
        for value in (None, "", "admin", 0, -1, 1.5, True, [], {}, [claims[name]], "\u0000"):
            if value != claims[name] or type(value) is not type(claims[name]):
                yield ".".join((head, encoded({**claims, name: value}), signature))
    for change in ({"exp": int(now)}, {"exp": int(now) - 1}, {"exp": 0}, {"exp": -1}, {"exp": now + 9.5},
                   {"exp": str(int(now) + 99)}, {"exp": True}, {"nbf": int(now) + 60}, {"nbf": "0"},
                   {"iss": "other"}, {"aud": "rt+jwt"}, {"aud": ["at+jwt"]}, {"sub": "bob"}, {"sub": OWNER},
                   {"sub": "nobody"}, {"sid": "0" * 32}, {"sid": ""}, {"role": "admin"}, {"admin": True}):  # fmt: skip
        yield signed(claims={**claims, **change})
    for change in ({"typ": "JWT"}, {"typ": "rt+jwt"}, {"typ": ""}, {"cty": "x"}):
        yield signed(header={**header, **change})


def forged_signatures(head, body, signature):
    raw = decoded(signature)
    for place in range(0, 64, 2):
        changed = bytearray(raw)
        changed[place] ^= 1
        yield ".".join((head, body, encoded(bytes(changed))))
    for other in (b"", raw[:-1], raw + b"\0", bytes(64), b"\xff" * 64):
        yield ".".join((head, body, encoded(other)))
    whole = f"{head}.{body}.{signature}"
    yield from ("", ".", "..", "...", head, f"{head}.{body}", f"{head}.{body}.", f"{whole}.", f"{whole}.{signature}",
                f" {whole[1:]}", whole.swapcase(), whole[::-1], whole * 3, "x" * 3000, f"{body}.{head}.{signature}",
                f"..{signature}", "null.null.null", f"{encoded([])}.{body}.{signature}", f"{head}.{encoded([])}.{signature}",
                f"{encoded(b'{')}.{body}.{signature}", f"{head}\u00e9.{body}.{signature}")  # fmt: skip


def forged_keys(header, body, signature, key, other, *, signed):
    public = key.as_dict(private=False)
    for secret in (
        public["x"].encode(),
        decoded(public["x"]),
        json.dumps(public).encode(),
        b"",
        b"secret",
    ):
        for kid in (header["kid"], None, "other"):
            made = {"alg": "HS256", "typ": "at+jwt", **({"kid": kid} if kid else {})}
            yield f"{encoded(made)}.{body}.{hmac_of(secret, f'{encoded(made)}.{body}')}"
    for algorithm in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        None,
        "RS256",
        "ES256",
        "EdDSA",
        "Ed448",
        "HS512",
        ["Ed25519"],
    ):
        for end in ("", signature):
            yield f"{encoded({**header, 'alg': algorithm})}.{body}.{end}"
    mine = {**header, "kid": other.kid}
    yield from (signed(by=other), signed(header=mine, by=other), signed(header=mine))
    for name, value in (("jwk", other.as_dict(private=False)), ("jku", "https://example.invalid/keys"), ("x5u", "https://example.invalid/c"),
                        ("x5c", ["AA=="]), ("crit", ["exp"]), ("b64", False), ("kid", "../../etc/passwd"), ("kid", ["x"]), ("kid", None)):  # fmt: skip
        made = encoded({**header, name: value})
        yield f"{made}.{body}.{encoded(raw_signature(key, f'{made}.{body}'))}"
        yield f"{made}.{body}.{encoded(raw_signature(other, f'{made}.{body}'))}"


def raw_signature(key, text):
    return key.private_key.sign(text.encode())


def hmac_of(secret, text):
    return encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def stale_tokens(accounts, password):
    """Tokens of ann and bob that were good: renewed and used again, logged out of, of who was disabled."""
    for _ in range(3):
        pair = accounts.login("ann", password)
        accounts.refresh(pair.refresh_token)
        try:
            accounts.refresh(pair.refresh_token)
        except RefusedLogin:
            yield from (pair.access_token, pair.refresh_token)
    left = accounts.login("ann", password)
    accounts.logout(accounts.identify(left.access_token))
    yield from (left.access_token, left.refresh_token)
    disabled = accounts.login("bob", password)
    accounts.disable("bob")
    yield from (disabled.access_token, disabled.refresh_token)
