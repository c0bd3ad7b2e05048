# SPDX-License-Identifier: Apache-2.0
"""WebSocket frames made once for all who get them, and written without waiting for anybody.

An ASGI server takes one message at a time and makes a frame of it for each client. Here a thousand clients
of one topic get the same bytes, and who is slow is seen by what waits for it, not by waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from websockets.http11 import Request

_EXTENSION = "ttapi.frames"
_CLOSE_S = 2.0
"""How long a client may take to answer a close; the connection goes then."""
MOST_WAITING = 64 * 1024
"""Bytes that wait for a client, from which on what is sent to all leaves it out."""
_TEXT = 0x81
"""The only frame of a message, which is text."""


class FramedProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which lends its connection to the application."""

    def handle_connect(self, event: Request) -> None:
        """Have the application called, with the writer among its extensions."""
        super().handle_connect(event)
        self.transport.set_write_buffer_limits(high=MOST_WAITING, low=MOST_WAITING // 2)
        scope: Any = getattr(self, "scope", None)  # none where the handshake is refused
        if scope is not None:
            scope["extensions"][_EXTENSION] = FrameWriter(self)


class FrameWriter:
    """The sending side of one connection that was accepted; the loop's own thread alone uses it."""

    def __init__(self, protocol: FramedProtocol) -> None:
        self._protocol = protocol

    def write(self, frames: bytes) -> bool:
        """Whether whole frames were taken; False: others wait, more than `MOST_WAITING` of them.

        A connection that is about to end takes all and sends none.
        """
        one = self._protocol
        if not one.writable.is_set():
            return False
        if not one.close_sent and not one.transport.is_closing():
            one.transport.write(frames)
        return True

    def push(self, frames: bytes) -> int:
        """Bytes that wait now; the frames are behind them, whoever reads them or not."""
        one = self._protocol
        if not one.close_sent and not one.transport.is_closing():
            one.transport.write(frames)
        return one.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Nothing; the client is told why, the application that it is over, and the connection ends soon."""
        one = self._protocol
        if one.close_sent or one.transport.is_closing():
            return
        if one.conn.state.name == "OPEN":  # else the client has said that it leaves
            one.conn.send_close(code, reason)
        one.transport.write(b"".join(one.conn.data_to_send()))
        one.close_sent = True
        one.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if one.read_paused:  # the client's answer is to be read
            one.read_paused = False
            one.transport.resume_reading()
        one.close_timer = one.loop.call_later(_CLOSE_S, one.transport.abort)


def writer_of(scope: Mapping[str, Any]) -> FrameWriter:
    """What writes to the client of a connection that `FramedProtocol` serves."""
    found: FrameWriter = scope["extensions"][_EXTENSION]
    return found


def frame_of(message: bytes) -> bytes:
    """The frame of a message of text, as a server sends it."""
    size = len(message)
    if size < 126:
        return bytes((_TEXT, size)) + message
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2) + message
    return bytes((_TEXT, 127)) + size.to_bytes(8) + message
