# SPDX-License-Identifier: Apache-2.0
"""A secret is scrubbed however it is spelled and wherever it stands."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.secret import (
    SHOWN,
    Secret,
    may_hold_secret,
    scrubbed,
    scrubbed_value,
    spellings,
    without,
)

secrets = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40)
around = st.text(st.characters(codec="utf-8"), max_size=7)


@given(around, secrets, around, st.booleans(), st.booleans())
def test_base64_shows_nothing_of_a_secret_at_any_place(
    before, secret, after, is_for_urls, is_padded
):
    encode = base64.urlsafe_b64encode if is_for_urls else base64.b64encode
    whole = encode((before + secret + after).encode()).decode()
    whole = whole if is_padded else whole.rstrip("=")
    # What the bits of the secret alone make, counted from what stands before it.
    first = -(-len(before.encode()) * 8 // 6)
    last = len((before + secret).encode()) * 8 // 6
    shown = without(whole, spellings(secret))
    assert shown.startswith(whole[:first] + SHOWN)
    rest = shown[first + len(SHOWN) :]
    # The last character and the padding may be the secret's own.
    assert whole[last:].endswith(rest)
    assert len(whole) - last - len(rest) <= 3


ESCAPES = {
    "raw": str,
    "for a URL": lambda text: quote(text, safe=""),
    "for a path": quote,
    "for a form": quote_plus,
    "as a browser does": lambda text: quote(text, safe="!'()*"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON as PHP writes it": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "hexadecimal": lambda text: text.encode().hex(),
    "upper hexadecimal": lambda text: text.encode().hex().upper(),
    "base64 for a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@given(secrets)
def test_every_spelling_is_scrubbed_whole(escape, secret):
    assert without(f"<{escape(secret)}>", spellings(secret)) == f"<{SHOWN}>"


@given(secrets)
def test_what_is_no_secret_is_left_alone(secret):
    other = "".join(reversed(secret)) + "|"
    assert without(other, spellings(secret + "?")) == other


def test_of_two_secrets_the_longer_is_scrubbed_whole():
    hidden = {*spellings("token-one"), *spellings("token-one-and-more")}
    assert without("token-one-and-more token-one", hidden) == f"{SHOWN} {SHOWN}"


@pytest.fixture
def held():
    """A secret that this process has held, like those of other tests."""
    return Secret("s3cr3tS3cr3tvalue")


def test_every_text_of_a_document_is_scrubbed(held):
    text = held.reveal()
    document = {text: [text, (f"x{text}y", 5, None)], "plain": {"deep": text}}
    assert scrubbed_value(document) == {
        SHOWN: [SHOWN, (f"x{SHOWN}y", 5, None)],
        "plain": {"deep": SHOWN},
    }


def test_a_header_is_scrubbed_though_its_token_was_never_held(held):
    assert scrubbed("Authorization: Bearer abc.def-123") == f"Authorization: Bearer {SHOWN}"
    assert scrubbed("BASIC dXNlcjpwYXNz, basic short") == f"BASIC {SHOWN}, basic short"


def test_a_body_may_hold_a_secret_where_one_stands_or_an_escape_hides_one(held):
    assert may_hold_secret(b'{"a": "%s"}' % held.reveal().encode())
    assert may_hold_secret(b'{"a": "\\u0073"}')
    assert not may_hold_secret(b'{"a": "b"}')


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("short")
    assert (f"{secret}", repr(secret), bool(secret), bool(Secret(""))) == (
        SHOWN,
        SHOWN,
        True,
        False,
    )
    assert scrubbed("a short text") == "a short text"
    with pytest.raises(TypeError):
        secret.__reduce__()


def test_a_secret_of_eight_characters_is_scrubbed_and_one_of_seven_is_not():
    Secret("eight-ch")
    Secret("seven-c")
    assert scrubbed("eight-ch seven-c") == f"{SHOWN} seven-c"
