# SPDX-License-Identifier: Apache-2.0
"""Bodies and files under their caps: what fits exactly is read, one byte more is refused."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from ttapi.errors import SourceError
from ttapi.sources.response_body import _ALWAYS_ALLOWED, OversizedError, gunzip, read_capped

BIG = _ALWAYS_ALLOWED + 1000


def read(*pieces, encoding="", announced=None, max_bytes=100, max_ratio=10):
    async def sent():
        for piece in pieces:
            yield piece

    async def run():
        return await read_capped(
            sent(), encoding=encoding, announced=announced, status=200, max_bytes=max_bytes, max_ratio=max_ratio
        )  # fmt: skip

    return asyncio.run(run())


def test_a_body_of_exactly_what_is_allowed_is_read():
    assert read(b"a" * 60, b"b" * 40, announced="100") == (b"a" * 60 + b"b" * 40, 100)
    assert read() == (b"", 0)
    assert read(encoding="gzip") == (b"", 0)
    assert read(b"x", announced="many") == (b"x", 1)


@pytest.mark.parametrize(
    ("pieces", "changes", "told"),
    [
        ((b"a" * 101,), {}, "more than 100 bytes"),
        ((b"a" * 60, b"b" * 41), {}, "more than 100 bytes"),
        ((b"a",), {"announced": "101"}, "101 bytes announced, 100 allowed"),
        ((b"a",), {"encoding": "br"}, "encoded as 'br', which was not asked for"),
        ((b"no gzip",), {"encoding": "gzip"}, "its compression is damaged"),
        (
            (gzip.compress(b"abc", mtime=0)[:-1],),
            {"encoding": "gzip"},
            "its compression ends in the middle",
        ),
        (
            (gzip.compress(b"a" * 101, mtime=0),),
            {"encoding": "GZIP "},
            "inflates to more than 100 bytes",
        ),
    ],
)
def test_a_body_beyond_them_is_refused(pieces, changes, told):
    with pytest.raises(OversizedError, match=told) as caught:
        read(*pieces, **changes)
    assert caught.value.status == 200


def test_a_gzipped_body_is_inflated_piece_by_piece_to_what_is_allowed():
    packed = gzip.compress(b"a" * 100, mtime=0)
    pieces = [packed[i : i + 1] for i in range(len(packed))]
    for name in ("gzip", "x-gzip"):
        assert read(*pieces, encoding=name) == (b"a" * 100, len(packed))


def test_what_is_small_may_inflate_by_any_ratio_and_what_is_not_by_the_one_allowed():
    small = gzip.compress(bytes(_ALWAYS_ALLOWED))
    assert len(read(small, encoding="gzip", max_bytes=10**9, max_ratio=1)[0]) == _ALWAYS_ALLOWED
    big = gzip.compress(bytes(BIG))
    with pytest.raises(OversizedError, match="inflates to more than"):
        read(big, encoding="gzip", max_bytes=10**9, max_ratio=1)
    enough = -(-BIG // len(big))
    assert len(read(big, encoding="gzip", max_bytes=10**9, max_ratio=enough)[0]) == BIG


def unzipped(content, max_bytes=100, max_ratio=10):
    return gunzip(content, max_bytes=max_bytes, max_ratio=max_ratio)


def test_all_members_of_a_file_are_read_and_padding_is_none():
    member = gzip.compress(b"a" * 50, mtime=0)
    assert unzipped(member + member) == b"a" * 100
    assert unzipped(member + b"\0\0" + member + b"\0") == b"a" * 100
    assert unzipped(b"") == b""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b"a" * 101, mtime=0), "unpacks to more than 100 bytes"),
        (gzip.compress(b"a" * 60, mtime=0) * 2, "unpacks to more than 100 bytes"),
        (gzip.compress(b"abc", mtime=0)[:-1], "ends in the middle"),
        (gzip.compress(b"abc", mtime=0)[:-8] + b"12345678", "is damaged"),
        (gzip.compress(b"abc", mtime=0) + b"rest", "something else follows"),
    ],
)
def test_a_file_beyond_its_caps_or_damaged_is_refused(content, told):
    with pytest.raises(SourceError, match=told):
        unzipped(content)


def test_a_file_may_unpack_by_the_ratio_allowed():
    big = gzip.compress(bytes(BIG))
    with pytest.raises(SourceError, match="unpacks to more than"):
        unzipped(big, 10**9, 1)
    assert len(unzipped(big, 10**9, -(-BIG // len(big)))) == BIG
