# SPDX-License-Identifier: Apache-2.0
"""As little of WebSocket clients as counts messages: many of them share two cores with the daemon they measure.

Run by `subscribers.py`: says `ready` once all are subscribed; counts from one line on standard input to the next.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
import sys
import time
from datetime import datetime
from typing import Any

_STAMP = re.compile(rb'"type":"quote".{1,80}?"timestamp":"([^"]{20,32})"')


def opened(host: str, port: int, token: str, topic: str) -> socket.socket:
    """A connection that is subscribed to `topic`."""
    one = socket.create_connection((host, port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    hello = (
        f"GET /api/v1/stream HTTP/1.1\r\nhost: {host}:{port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        f"sec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n"
        f"sec-websocket-protocol: ttapi, bearer.{token}\r\n\r\n"
    )
    one.sendall(hello.encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += one.recv(4096)
    assert b" 101 " in head, head
    message = json.dumps({"type": "subscribe", "data": {"topics": [topic]}}).encode()
    one.sendall(bytes((0x81, 0x80 | len(message), 0, 0, 0, 0)) + message)
    one.setblocking(False)
    return one


def measured(sockets: dict[int, socket.socket], waiting: select.epoll) -> list[float]:
    """How old events were when they came, until a line comes on standard input."""
    ages: list[float] = []
    while True:
        for file, _ in waiting.poll():
            if file == sys.stdin.fileno():
                sys.stdin.readline()
                return ages
            at, data = time.time(), sockets[file].recv(1 << 18)
            stamps = (stamp.decode() for stamp in _STAMP.findall(data))
            ages += [at - datetime.fromisoformat(stamp).timestamp() for stamp in stamps]


def main(asked: dict[str, Any]) -> None:
    """Open, say so, count twice, tell the second."""
    sockets = {}
    with select.epoll() as waiting:
        waiting.register(sys.stdin.fileno(), select.EPOLLIN)
        for number in range(asked["clients"]):
            topic = f"quote:{asked['symbols'][number % len(asked['symbols'])]}"
            one = opened(asked["host"], asked["port"], asked["token"], topic)
            sockets[one.fileno()] = one
            if number >= asked["stuck"]:
                waiting.register(one.fileno(), select.EPOLLIN)
        print("ready", flush=True)
        measured(sockets, waiting)
        print(json.dumps(measured(sockets, waiting)), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
