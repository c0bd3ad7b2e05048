# SPDX-License-Identifier: Apache-2.0
"""A body read and inflated under caps: what is larger is refused before it is held."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PIECE = 1 << 20


class OversizedError(Exception):
    """A body is larger, wire or inflated, than allowed, or cannot be inflated."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


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
            raise OversizedError(f"more than {max_bytes:,} bytes", status)
        if inflater is None:
            body += piece
            continue
        for part in _inflated(inflater, piece, status):
            body += part
            if len(body) > max_bytes or len(body) > max(received, _PIECE) * max_ratio:
                raise OversizedError(
                    f"inflates to more than {len(body):,} bytes from {received:,}", status
                )
    if inflater is not None and received and not inflater.eof:
        raise OversizedError("its compression ends in the middle", status)
    return bytes(body), received


def _inflated(inflater: zlib._Decompress, piece: bytes, status: int) -> list[bytes]:
    parts, waiting = [], piece
    try:
        while waiting:
            parts.append(inflater.decompress(waiting, _PIECE))
            waiting = inflater.unconsumed_tail
    except zlib.error as exc:
        raise OversizedError("its compression is damaged", status) from exc
    return parts
