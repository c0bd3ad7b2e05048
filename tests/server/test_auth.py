# SPDX-License-Identifier: Apache-2.0
"""Tokens and paces by themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ttapi.secret import Secret, scrubbed
from ttapi.server.auth import ANYONE, ROLES, Identity, RateLimit, Tokens, new_token
from ttapi.server.problems import without_paths


def test_a_token_is_new_each_time_and_shown_by_no_log():
    tokens = [new_token() for _ in range(50)]
    texts = {token.reveal() for token in tokens}
    assert len(texts) == 50 and all(len(text) >= 43 for text in texts)
    assert {scrubbed(f"x {token.reveal()} y") for token in tokens} == {"x *** y"}
    assert {repr(token) for token in tokens} == {"***"}


@given(st.text(max_size=60))
def test_nothing_but_the_token_is_the_token(text):
    tokens = Tokens(Secret("right-token-of-this-test"))
    assert tokens.identify(text) is None
    assert tokens.identify(f"Bearer {text}") is None
    assert tokens.identify(None) is None
    for scheme in ("Bearer", "bearer", "BEARER"):
        right = tokens.identify(f"{scheme} right-token-of-this-test")
        assert right == Identity("bootstrap", "admin")


def test_a_role_may_what_those_before_it_may():
    allowed = {role: [need for need in (ANYONE, *ROLES) if Identity("x", role).may(need)] for role in ROLES}  # fmt: skip
    assert allowed == {
        "viewer": [ANYONE, "viewer"],
        "analyst": [ANYONE, "viewer", "analyst"],
        "operator": [ANYONE, "viewer", "analyst", "operator"],
        "admin": [ANYONE, "viewer", "analyst", "operator", "admin"],
    }
    assert not Identity("x", "admin").may("king")


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_no_caller_gets_more_than_the_burst_and_the_pace(pauses):
    now = 0.0
    limit = RateLimit(10.0, 5, lambda: now)
    allowed, wait_s = 0, 0.0
    for pause in pauses:
        now += pause
        wait_s = limit.wait_s("a")
        allowed += wait_s == 0
        assert limit.wait_s(f"other {now}{allowed}{pause}") == 0
    assert allowed <= 5 + 10 * now + 1e-6
    now += wait_s + 1e-9
    assert limit.wait_s("a") == 0, "who waits as long as was said is let in"


def test_a_path_and_a_secret_are_in_no_detail():
    Secret("token-that-is-a-secret")
    said = "/srv/a/b.csv: no 'x' in (/tmp/y z) with token-that-is-a-secret, ../q/r or ~/s; 1/2 a/b"
    assert without_paths(said) == "<path>: no 'x' in (<path> z) with ***, <path> or <path>; 1/2 a/b"
    for text in ("unterminated /* comment", "select 4 / 2, a//b", "POST /market-metrics failed", "/", "//"):  # fmt: skip
        assert without_paths(text) == text
    assert without_paths(f"{__file__}: no such file") == "<path>: no such file"
