# SPDX-License-Identifier: Apache-2.0
"""The HTTP room against servers that misbehave: what is asked again, what is refused, what is counted."""

from __future__ import annotations

import asyncio
import gzip
import re
import ssl
import sys
from pathlib import Path

import pytest
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))

from scripted_server import GoingAwayServer, ScriptedServer

from ttapi.errors import CredentialError, ResponseError, SourceDownError, UsageError
from ttapi.secret import Secret
from ttapi.sources.http import HostLimits, HttpClient, Request
from ttapi.sources.traffic import Traffic, traffic_text

QUICK = {"requests_per_s": 10_000.0, "first_wait_s": 0.001, "longest_wait_s": 0.002}
GET = Request("GET", "/thing", "/thing")


async def _json(request, number):
    return web.json_response({"number": number})


def ask(server, *requests, signer=None, verify=True, **tuning):
    """Answers, or errors, of requests sent together; and the account."""
    traffic = Traffic()

    async def run():
        async with HttpClient(
            server.url, traffic, tuning=HostLimits(**{**QUICK, **tuning}), verify=verify
        ) as client:
            client.signer = signer
            sent = [client.send(request) for request in requests]
            return await asyncio.gather(*sent, return_exceptions=True)

    return asyncio.run(run()), traffic


def test_a_failing_server_is_asked_again_until_it_answers():
    async def script(request, number):
        return web.Response(status=503) if number < 3 else await _json(request, number)

    with ScriptedServer(script) as server:
        (answer,), traffic = ask(server, GET)
    assert (answer.status, answer.body) == (200, b'{"number": 3}')
    assert traffic.outcomes == {"503": 2, "200": 1}
    assert (
        traffic_text(traffic.as_document())
        == "3 requests (1 x 200, 2 x 503), pace 10000 of 10000/s"
    )


def test_what_may_not_be_repeated_is_sent_once():
    async def script(request, number):
        return web.Response(status=503)

    with ScriptedServer(script) as server:
        (error,), _ = ask(server, Request("POST", "/order", "/order", is_repeatable=False))
    assert isinstance(error, SourceDownError)
    assert len(server.requests) == 1


def test_attempts_are_bounded():
    async def script(request, number):
        return web.Response(status=502)

    with ScriptedServer(script) as server:
        (error,), _ = ask(server, GET, attempts=4, breaker_failures=100)
    assert str(error) == "GET /thing failed 4 times: status 502"
    assert len(server.requests) == 4


def test_too_many_requests_lower_the_pace_and_do_not_break_the_circuit():
    async def script(request, number):
        return web.Response(status=429) if number <= 3 else await _json(request, number)

    with ScriptedServer(script) as server:
        (answer,), traffic = ask(server, GET, breaker_failures=2)
    assert answer.status == 200
    assert traffic.outcomes == {"429": 3, "200": 1}
    assert traffic.is_slowed
    assert traffic.pace_per_s == pytest.approx(5000, rel=0.05)


def test_a_server_that_asks_for_hours_is_left_alone():
    async def script(request, number):
        return web.Response(status=429, headers={"Retry-After": "7200"})

    with ScriptedServer(script) as server:
        (error,), _ = ask(server, GET)
    assert isinstance(error, SourceDownError)
    assert len(server.requests) == 1


def test_silence_and_dripping_end_at_their_deadlines():
    async def script(request, number):
        response = web.StreamResponse()
        await response.prepare(request)
        if request.path == "/drip":
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    with ScriptedServer(script) as server:
        errors, traffic = ask(
            server,
            Request("GET", "/drip", "/drip"),
            Request("GET", "/mute", "/mute"),
            read_s=0.2,
            total_s=0.4,
            attempts=1,
        )
    assert [str(error) for error in errors] == [
        "GET /drip failed once: no answer in time",
        "GET /mute failed once: no answer in time",
    ]
    assert traffic.outcomes == {"timeout": 2}


def test_a_connection_that_breaks_in_mid_answer_is_asked_again():
    async def script(request, number):
        if number == 1:
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b'{"half":')
            request.transport.abort()
            return response
        return await _json(request, number)

    with ScriptedServer(script) as server:
        (answer,), traffic = ask(server, GET)
    assert answer.body == b'{"number": 2}'
    assert traffic.outcomes == {"unreachable": 1, "200": 1}


def test_nobody_listening_is_told_as_such():
    with ScriptedServer(_json) as server:
        pass
    (error,), traffic = ask(server, GET, attempts=2)
    assert str(error) == "GET /thing failed 2 times: no connection"
    assert traffic.outcomes == {"unreachable": 2}


@pytest.mark.parametrize(
    ("body", "headers", "complaint"),
    [
        (b"x" * 3_000, {}, "3,000 bytes announced, 2,000 allowed"),
        (
            gzip.compress(b"0" * 3_000_000, mtime=0),
            {"Content-Encoding": "gzip"},
            "announced|inflates to more",
        ),
        (
            gzip.compress(b"0" * 900_000, mtime=0),
            {"Content-Encoding": "gzip"},
            "inflates to more than",
        ),
        (b"not gzip at all", {"Content-Encoding": "gzip"}, "its compression is damaged"),
        (gzip.compress(b"whole", mtime=0)[:-4], {"Content-Encoding": "gzip"}, "ends in the middle"),
        (b"whatever", {"Content-Encoding": "br"}, "encoded as 'br', which was not asked for"),
    ],
)
def test_bodies_beyond_the_caps_are_refused_and_not_asked_again(body, headers, complaint):
    async def script(request, number):
        return web.Response(body=body, headers=headers)

    with ScriptedServer(script) as server:
        (error,), traffic = ask(server, GET, max_bytes=2_000)
    assert isinstance(error, ResponseError)
    assert len(server.requests) == 1
    assert traffic.outcomes == {"oversized": 1}
    assert re.search(complaint, str(error)), str(error)


def test_a_body_without_an_announced_length_is_capped_as_it_comes():
    async def script(request, number):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x" * 1000)
        return response

    with ScriptedServer(script) as server:
        (error,), _ = ask(server, GET, max_bytes=50_000)
    assert "more than 50,000 bytes" in str(error)


def test_a_gzipped_answer_is_inflated():
    async def script(request, number):
        assert request.headers["Accept-Encoding"] == "gzip"
        return web.Response(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})

    with ScriptedServer(script) as server:
        (answer,), _ = ask(server, GET)
    assert answer.body == b'{"a": 1}'


def test_a_redirect_is_not_followed():
    async def script(request, number):
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    with ScriptedServer(script) as server:
        (error,), _ = ask(server, GET)
    assert str(error) == "/thing: status 302: a redirect, which is not followed"


def test_no_more_are_in_flight_than_allowed():
    async def script(request, number):
        await asyncio.sleep(0.01)
        return await _json(request, number)

    with ScriptedServer(script) as server:
        answers, traffic = ask(server, *[GET] * 40, in_flight=5)
    assert {answer.status for answer in answers} == {200}
    assert server.in_flight_most <= 5
    assert traffic.in_flight_most == 5
    assert traffic.in_flight == 0


def test_an_open_circuit_lets_one_probe_through_and_gives_up_in_the_end():
    async def script(request, number):
        return web.Response(status=500)

    with ScriptedServer(script) as server:
        errors, _ = ask(
            server,
            *[GET] * 30,
            in_flight=3,
            breaker_failures=3,
            breaker_recovery_s=0.05,
            attempts=60,
        )
    assert {type(error).__mro__[1] for error in errors} == {SourceDownError}
    assert "/thing does not answer: status 500" in {str(error) for error in errors}
    # Three opened it with two beside them; then three probes, each alone.
    assert len(server.requests) <= 3 + 2 + 3


def test_http2_connections_that_go_away_are_opened_anew(tmp_path):
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    traffic = Traffic()

    async def run():
        async with (
            GoingAwayServer(context) as server,
            HttpClient(server.url, traffic, tuning=HostLimits(**QUICK), verify=trust) as client,
        ):
            return server, await client.send(GET)

    server, answer = asyncio.run(run())
    assert (answer.status, server.connections) == (200, 2)
    assert traffic.outcomes == {"unreachable": 1, "200": 1}


class _Signer:
    """Gives tokens in order; notes how often it was asked for another."""

    def __init__(self, *tokens):
        self.tokens, self.renewals = [Secret(token) for token in tokens], 0

    async def token(self):
        return self.tokens[0]

    async def renewed(self, refused):
        if self.tokens[0] == refused:
            self.renewals += 1
            if len(self.tokens) == 1:
                raise CredentialError("the grant is dead")
            self.tokens.pop(0)
        return self.tokens[0]


def _guarded(good):
    async def script(request, number):
        is_good = request.headers.get("Authorization") == f"Bearer {good}"
        return await _json(request, number) if is_good else web.Response(status=401)

    return script


def test_a_refused_token_is_renewed_once_for_all_who_wait():
    signer = _Signer("old-token-1", "new-token-2")
    with ScriptedServer(_guarded("new-token-2")) as server:
        answers, _ = ask(server, *[GET] * 10, signer=signer)
    assert {answer.status for answer in answers} == {200}
    assert signer.renewals == 1


def test_a_second_refusal_is_given_back_and_a_dead_grant_raised():
    with ScriptedServer(_guarded("never-given")) as server:
        (answer,), _ = ask(server, GET, signer=_Signer("token-one-1", "token-two-2"))
        assert (answer.status, len(server.requests)) == (401, 2)
        (error,), _ = ask(server, GET, signer=_Signer("token-one-1"))
    assert isinstance(error, CredentialError)


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "ftp://127.0.0.1", "nonsense", "http://10.0.0.1"]
)
def test_secrets_are_not_sent_in_the_clear(url):
    with pytest.raises(UsageError):
        HttpClient(url, Traffic())


def test_logs_hold_outcomes_and_no_secrets(caplog):
    signer = _Signer("a-very-secret-token")
    with (
        ScriptedServer(_guarded("a-very-secret-token")) as server,
        caplog.at_level("INFO", "ttapi"),
    ):
        ask(server, Request("GET", "/a-very-secret-token/x", "/{token}/x"), signer=signer)
    (record,) = [r for r in caplog.records if r.name == "ttapi.http"]
    assert (record.outcome, record.path) == ("200", "/***/x")
