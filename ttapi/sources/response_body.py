# SPDX-License-Identifier: Apache-2.0
"""A body read and inflated under caps: what is larger is refused before it is held."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from ttapi.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

GZIP = b"\x1f\x8b"
"""How a gzip file begins."""
_PIECE = 1 << 20
_ALWAYS_ALLOWED = 4 << 20
"""Bytes to which any body may inflate, whatever it was packed into."""
_KEPT = 1 << 18
"""Bytes of a refused body that are kept to look at."""


class OversizedError(Exception):
    """A body is larger, wire or inflated, than allowed, or cannot be inflated."""

    def __init__(self, text: str, status: int, body: bytes | bytearray = b"") -> None:
        super().__init__(text)
        self.status = status
        self.body = bytes(body[:_KEPT])
        """How the body begins, as far as it was read."""


async def read_capped(
    pieces: AsyncIterator[bytes],
    *,
    encoding: str,
    announced: str | None,
    status: int,
    max_bytes: int,
    max_ratio: int,
) -> tuple[bytes, int]:
    """The body, inflated, and how many bytes were received.

    *Raises* OversizedError for more than `max_bytes` on the wire or inflated, for an inflation by
    more than `max_ratio`, for an encoding that was not asked for, and for a torn one.
    """
    if announced and announced.isdigit() and int(announced) > max_bytes:
        raise OversizedError(f"{int(announced):,} bytes announced, {max_bytes:,} allowed", status)
    name = encoding.strip().lower()
    if name not in {"", "identity", "gzip", "x-gzip"}:
        raise OversizedError(f"encoded as {name!r}, which was not asked for", status)
    inflater = zlib.decompressobj(wbits=31) if "gzip" in name else None
    body, received = bytearray(), 0
    async for piece in pieces:
        received += len(piece)
        if received > max_bytes:
            raise OversizedError(f"more than {max_bytes:,} bytes", status, body)
        if inflater is None:
            body += piece
            continue
        limit = min(max_bytes, max(received * max_ratio, _ALWAYS_ALLOWED))
        try:
            for part in _inflated(inflater, piece):
                body += part
                if len(body) > limit:
                    told = f"inflates to more than {limit:,} bytes from {received:,}"
                    raise OversizedError(told, status, body)
        except zlib.error as exc:
            raise OversizedError("its compression is damaged", status, body or piece) from exc
    if inflater is not None and received and not inflater.eof:
        raise OversizedError("its compression ends in the middle", status, body)
    return bytes(body), received


def gunzip(content: bytes, *, max_bytes: int, max_ratio: int) -> bytes:
    """What a gzip file holds, all its members; padding after the last is left out.

    *Raises* SourceError for more than `max_bytes`, for an inflation by more than `max_ratio` of
    what is not small, for a damaged file and a torn one.
    """
    limit = min(max_bytes, max(len(content) * max_ratio, _ALWAYS_ALLOWED))
    whole, rest = bytearray(), content
    while rest.startswith(GZIP):
        inflater = zlib.decompressobj(wbits=31)
        try:
            for part in _inflated(inflater, rest):
                whole += part
                if len(whole) > limit:
                    raise SourceError(f"unpacks to more than {limit:,} bytes from {len(content):,}")
        except zlib.error as exc:
            raise SourceError("its gzip compression is damaged", hint="fetch it again") from exc
        if not inflater.eof:
            raise SourceError("its gzip compression ends in the middle", hint="fetch it again")
        rest = inflater.unused_data.lstrip(b"\0")
    if rest:
        raise SourceError("something else follows its gzip compression", hint="fetch it again")
    return bytes(whole)


def _inflated(inflater: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What `piece` inflates to, a megabyte at a time: whoever reads may stop in between."""
    waiting = piece
    while waiting:
        yield inflater.decompress(waiting, _PIECE)
        waiting = inflater.unconsumed_tail
