# SPDX-License-Identifier: Apache-2.0
"""A simulated broker with a clock of the test's own, and a client that has logged in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 17, 3, 20, tzinfo=UTC)


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    seconds: float = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture(scope="session")
def vendor_market():
    return VendorMarket(7, NOW, symbols=60)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def serve(vendor_market, clock):
    """Starts a server with the given arguments; all are stopped at the end."""
    servers = []

    def start(**arguments):
        server = VendorServer(vendor_market, clock=clock, **arguments).__enter__()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def server(serve):
    return serve()


def log_in(server):
    """A client with an access token."""
    # No trust is read for an address without TLS: it takes 50 ms a client.
    client = httpx.Client(
        base_url=server.base_url,
        timeout=600,
        headers={"user-agent": "test/1"},
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    grant = server.credentials.grant
    body = {
        "grant_type": "refresh_token",
        "client_secret": grant.client_secret,
        "refresh_token": grant.refresh_token,
    }
    answer = client.post("/oauth/token", json=body)
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


@pytest.fixture
def logged_in():
    """Makes clients of servers; all are closed at the end."""
    clients = []

    def make(server):
        clients.append(log_in(server))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(server, logged_in):
    return logged_in(server)
