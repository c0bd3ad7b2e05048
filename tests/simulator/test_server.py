# SPDX-License-Identifier: Apache-2.0
"""The server around the vendors: addresses, limits, log, TLS, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
from datetime import UTC, datetime

import httpx
import pytest
from aiohttp import web

from ttapi.errors import UsageError
from ttapi.simulator.server import VendorServer, end_serving
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 17, 3, 20, tzinfo=UTC)
RATE = "/margin-requirements-public-configuration"


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=40)


def test_beyond_the_budget_requests_are_refused_and_counted(market):
    now = [0.0]
    with VendorServer(market, requests_per_s=5, clock=lambda: now[0]) as server:
        first = [httpx.get(server.base_url + RATE).status_code for _ in range(7)]
        now[0] += 0.4
        second = [httpx.get(server.base_url + RATE).status_code for _ in range(3)]
        assert first + second == [200] * 5 + [429] * 2 + [200] * 2 + [429]
        assert (server.counters.served, server.counters.throttled) == (7, 3)


def test_requests_in_flight_are_counted(market):
    async def ask(url):
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(client.get(url) for _ in range(12)))

    with VendorServer(market, latency_s=0.3) as server:
        asyncio.run(ask(server.base_url + RATE))
        assert server.counters.most_in_flight == 12
        assert server.counters.in_flight == 0


def test_the_log_has_a_line_a_request_without_secrets(market, tmp_path):
    log = tmp_path / "requests.jsonl"
    with VendorServer(market, request_log=log, wall_clock=lambda: NOW) as server:
        grant = server.credentials.grant
        body = {
            "grant_type": "refresh_token",
            "client_secret": grant.client_secret,
            "refresh_token": grant.refresh_token,
        }
        token = httpx.post(server.base_url + "/oauth/token", json=body).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        httpx.get(server.base_url + "/market-metrics?symbols=AAPL,SPY", headers=headers)
        httpx.get(server.base_url + "/option-chains/BRK%2FB/nested")
    lines = log.read_text().splitlines()
    at = "2024-06-14T17:03:20.000+00:00"
    assert [json.loads(line) for line in lines] == [
        {
            "at": at,
            "source": "tastytrade",
            "what": "POST /oauth/token",
            "symbols": [],
            "status": 200,
        },
        {
            "at": at,
            "source": "tastytrade",
            "what": "GET /market-metrics",
            "symbols": ["AAPL", "SPY"],
            "status": 200,
        },
        {
            "at": at,
            "source": "tastytrade",
            "what": "GET /option-chains/BRK/B/nested",
            "symbols": ["BRK/B"],
            "status": 401,
        },
    ]
    for secret in (token, grant.client_secret, grant.refresh_token):
        assert secret not in log.read_text()


def test_tls_has_a_port_and_a_certificate_of_its_own(market):
    with VendorServer(market, tls=True) as server:
        context = ssl.create_default_context(cadata=server.certificate.decode())
        assert httpx.get(server.tls_url + RATE, verify=context).status_code == 200
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            httpx.get(server.tls_url + RATE)
        assert httpx.get(server.base_url + RATE).status_code == 200


def test_addresses_name_the_vendors_that_run(market):
    with VendorServer(market, vendors=["dxlink"]) as server:
        assert list(server.addresses()) == ["dxlink"]
        assert httpx.get(server.base_url + RATE).status_code == 404
    with VendorServer(market) as server:
        found = server.addresses()
        assert sorted(found["dxlink"]) == ["token", "url"]
        assert {"base_url", "client_secret", "refresh_token", "login", "password"} <= set(
            found["tastytrade"]
        )


def test_the_feed_and_rest_share_a_port(market):
    with VendorServer(market) as server:
        answer = httpx.get(server.dxlink_url.replace("ws://", "http://"))
        assert answer.status_code == 400  # a WebSocket wants an upgrade


def test_a_port_in_use_is_told(market):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            VendorServer(market, port=port).__enter__()


def test_an_unknown_fault_is_told_before_anything_starts(market):
    with pytest.raises(UsageError, match="fault 'nonsense' is unknown"):
        VendorServer(market, faults=["nonsense"])


def test_a_log_that_cannot_be_written_is_told(market, tmp_path):
    with pytest.raises(UsageError, match=r"the request log .* cannot be written"):
        VendorServer(market, request_log=tmp_path / "nowhere" / "log").__enter__()


def test_after_the_end_the_port_is_free(market):
    with VendorServer(market) as server:
        port = server.port
    with VendorServer(market, port=port) as again:
        assert again.port == port


def test_a_connection_accepted_as_serving_ends_is_closed_too():
    async def accept_and_end():
        runner = web.AppRunner(web.Application(), shutdown_timeout=0.1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        with socket.create_connection(runner.addresses[0]) as client:
            # The loop hears of it in the first turn and accepts it in the second: no connection yet.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await end_serving(runner, listening)
            client.settimeout(10)
            return client.recv(1)

    assert asyncio.run(accept_and_end()) == b""
    gc.collect()
