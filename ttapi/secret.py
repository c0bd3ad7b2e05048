# SPDX-License-Identifier: Apache-2.0
"""Secrets: a text that shows itself to nobody, and the scrubbing of texts that are about to be shown."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SHOWN = "***"
_SHORTEST = 8
"""Characters of the shortest secret that is scrubbed: shorter ones would tear words apart."""
_KNOWN: set[str] = set()
"""Every spelling of every secret this process has held."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


class Secret:
    """A secret text: `reveal` gives it, everything else shows `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) >= _SHORTEST:
            _KNOWN.update(spellings(text))

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
    """`text` without any secret this process has held: raw, base64, hexadecimal, URL-encoded or JSON-escaped."""
    return _BEARER.sub(rf"\1 {SHOWN}", without(text, _KNOWN))


def without(text: str, hidden: Collection[str]) -> str:
    """`text` with `***` in place of everything in `hidden`."""
    found = [spelling for spelling in hidden if spelling in text]
    # The longest first: what is left of a long one whose part was replaced would stay.
    for spelling in sorted(found, key=len, reverse=True):
        text = text.replace(spelling, SHOWN)
    return text


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


def spellings(text: str) -> frozenset[str]:
    """Every text that shows a secret when it stands somewhere in a longer one."""
    raw = text.encode()
    plain = {text, raw.hex(), raw.hex().upper(), *_base64(raw)}
    return frozenset(spelling for one in plain for spelling in _escaped(one))


def _base64(raw: bytes) -> Iterator[str]:
    """What base64 makes of `raw` whatever stands around it.

    It begins at any of three places of a group, and the characters at both ends may share their
    bits with what stands there: those in between are the core. Where `raw` ends the text, the last
    character and the padding are its own.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            first = -(-before * 8 // 6)
            core = (before + len(raw)) * 8 // 6
            whole = encode(b"\0" * before + raw).decode()
            yield whole[first:core]
            yield whole[first:]
            yield whole[first:].rstrip("=")


def _escaped(text: str) -> Iterator[str]:
    """`text` as it stands in plain text, in URLs, and in JSON."""
    yield text
    # A path leaves `/` alone, a form writes a blank as `+`, a browser leaves `!'()*` alone.
    for url in (quote(text, safe=""), quote(text), quote_plus(text), quote(text, safe="!'()*")):
        yield url
        yield _PERCENT.sub(lambda match: match[0].lower(), url)
    for is_ascii in (True, False):
        escaped = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
