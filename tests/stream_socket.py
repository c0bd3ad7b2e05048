# SPDX-License-Identifier: Apache-2.0
"""A client of the daemon's socket, as the tests of several of its rooms need one."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


@contextmanager
def opened(daemon, token=None, **changes):
    """A socket of `daemon`, authenticated with `token` where there is one."""
    url = daemon.base_url.replace("http", "ws") + "/api/v1/stream"
    with connect(url, open_timeout=60, close_timeout=60, **changes) as socket:
        if token is not None:
            say(socket, "auth", token=token)
            assert next_of(socket, "status")["data"] == {"action": "authenticated"}
        yield socket


def say(socket, kind, **data):
    """Send one message."""
    socket.send(json.dumps({"type": kind, "data": data}))


def heard(socket):
    """The next message."""
    return json.loads(socket.recv(timeout=60))


def next_of(socket, *kinds):
    """The next message that is one of these."""
    while (message := heard(socket))["type"] not in kinds:
        pass
    return message


def ended(socket):
    """Code and reason of the close that comes next."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=60)
    return closed.value.rcvd.code, closed.value.rcvd.reason
