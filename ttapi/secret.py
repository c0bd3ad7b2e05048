# SPDX-License-Identifier: Apache-2.0
"""Secrets: a text that shows itself to nobody, and the scrubbing of texts that are about to be shown."""

from __future__ import annotations

import base64
import re
from typing import Any, NoReturn
from urllib.parse import quote

SHOWN = "***"
_SHORTEST = 8
"""Characters of the shortest secret that is scrubbed: shorter ones would tear words apart."""
_KNOWN: set[str] = set()
"""Every spelling of every secret this process has held."""
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


class Secret:
    """A secret text: `reveal` gives it, everything else shows `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) >= _SHORTEST:
            _KNOWN.update(_spellings(text))

    def reveal(self) -> str:
        """The text itself, for the wire and for nothing else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def scrubbed(text: str) -> str:
    """`text` without any secret this process has held: raw, base64 or URL-encoded."""
    for spelling in _KNOWN:
        if spelling in text:
            text = text.replace(spelling, SHOWN)
    return _BEARER.sub(rf"\1 {SHOWN}", text)


def scrubbed_value(value: Any) -> Any:
    """`value` with every text in it scrubbed; dictionaries, lists and tuples are gone through."""
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, dict):
        return {scrubbed_value(key): scrubbed_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(scrubbed_value(item) for item in value)
    return value


def may_hold_secret(body: bytes) -> bool:
    """Whether JSON text may hold a secret: one stands in it, or escapes could hide one."""
    return b"\\" in body or any(spelling.encode() in body for spelling in _KNOWN)


def _spellings(text: str) -> set[str]:
    raw = text.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    # In the middle of a longer text base64 starts at any of three places: what stays is the core.
    for shift in (1, 2):
        core = base64.b64encode(b"\0" * shift + raw).decode()[4:]
        encoded.add(core.rstrip("=")[:-1])
    encoded |= {one.rstrip("=") for one in encoded}
    long = {one for one in encoded if len(one) >= _SHORTEST}
    return {text, quote(text, safe=""), quote(text)} | long
