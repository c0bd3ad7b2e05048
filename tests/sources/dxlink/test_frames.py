# SPDX-License-Identifier: Apache-2.0
"""Subscriptions go out in frames of bounded size that together say the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.errors import SourceError
from ttapi.sources.dxlink.protocol import Subscription, parse_frame, subscription_frames

SUBSCRIPTIONS = st.lists(
    st.builds(
        Subscription,
        st.sampled_from(["Candle", "Quote"]),
        st.text(min_size=1, max_size=12),
        st.none() | st.integers(0, 2**42),
    ),
    max_size=40,
)


def said(frames):
    """What a server makes of the frames: the reset, then every entry in order."""
    messages = [json.loads(text) for text in frames]
    resets = [message.get("reset", False) for message in messages]
    assert not any(resets[1:])
    assert all(set(m) - {"type", "channel", "reset", "add", "remove"} == set() for m in messages)
    return (
        any(resets),
        [entry for message in messages for entry in message.get("remove", [])],
        [entry for message in messages for entry in message.get("add", [])],
    )


@given(SUBSCRIPTIONS, SUBSCRIPTIONS, st.booleans(), st.integers(200, 900))
def test_frames_are_bounded_and_say_everything_once(add, remove, is_reset, limit):
    frames = list(subscription_frames(5, add=add, remove=remove, is_reset=is_reset, limit=limit))
    assert all(len(text.encode()) <= limit for text in frames)
    assert said(frames) == (is_reset, [s.entry() for s in remove], [s.entry() for s in add])


def test_two_thousand_candles_take_few_frames_of_eight_kibibytes():
    add = [Subscription("Candle", f"S{n}{{=d}}", 1_700_000_000_000) for n in range(2000)]
    frames = list(subscription_frames(1, add=add))
    sizes = [len(text) for text in frames]
    assert max(sizes) <= 8192
    assert min(sizes[:-1]) > 8000


def test_nothing_to_say_is_no_frame():
    assert list(subscription_frames(1)) == []


def test_a_symbol_longer_than_a_frame_is_refused_by_name():
    with pytest.raises(SourceError, match="LONGLONG"):
        list(subscription_frames(1, add=[Subscription("Quote", "LONG" * 4000)]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON: JSONDecodeError"),
        ("<html>502</html>", "no JSON: JSONDecodeError"),
        (b"\xff\xfe\x00", "no JSON: UnicodeDecodeError"),
        ("[" * 100_000, "no JSON: RecursionError"),
        ("[1]", "no object with a type"),
        ('{"type": 3}', "no object with a type"),
        ('{"type": "SETUP", "channel": "x"}', "its channel is no number"),
        ('{"type": "SETUP", "channel": true}', "its channel is no number"),
    ],
)
def test_what_is_no_message_is_told_and_not_raised(text, reason):
    assert parse_frame(text) == reason
