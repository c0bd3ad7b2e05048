# SPDX-License-Identifier: Apache-2.0
"""The refresh grant against a host that answers as told: which refusals end it, and what is asked how often."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))

from scripted_server import ScriptedServer

from ttapi.errors import CredentialError, SourceDownError
from ttapi.secret import Secret
from ttapi.sources.http import HostLimits, HttpClient
from ttapi.sources.tastytrade.grant import RefreshGrant
from ttapi.sources.traffic import Traffic

QUICK = HostLimits(requests_per_s=10_000.0, first_wait_s=0.001, longest_wait_s=0.002)


def answers(*bodies):
    """A script that gives these (status, JSON or text) one after the other, the last one for ever."""

    async def script(request, number):
        status, body = bodies[min(number, len(bodies)) - 1]
        if isinstance(body, dict):
            return web.json_response(body, status=status)
        return web.Response(status=status, text=body)

    return script


def granted(token, **more):
    return 200, {"access_token": token, **more}


def asked(script, talk, now=None):
    """What `talk(grant, now)` comes to, `now[0]` being the grant's clock, and how many calls it took."""
    now = now or [0.0]

    async def run(server):
        async with HttpClient(server.url, Traffic(), tuning=QUICK) as client:
            secrets = Secret("a-client-secret"), Secret("a-refresh-token")
            return await talk(RefreshGrant(client, *secrets, clock=lambda: now[0]), now)

    with ScriptedServer(script) as server:
        return asyncio.run(run(server)), len(server.requests)


def tokens(script, *moments, refused=()):
    """What `token()` gives at each of these seconds, and how many calls it took; a refused one is renewed."""

    async def talk(grant, now):
        found = []
        for moment in moments:
            now[0] = moment
            try:
                secret = await grant.token()
                if secret.reveal() in refused:
                    secret = await grant.renewed(secret)
                found.append(secret.reveal())
            except SourceDownError as exc:
                found.append(exc)
        return found

    return asked(script, talk)


DEAD = {
    "401 without a word": (401, ""),
    "401 of no JSON": (401, "<html>no</html>"),
    "401 of no object": (401, "[1]"),
    "invalid grant": (400, {"error": "invalid_grant"}),
    "invalid client, in the other shape": (401, {"error": {"code": "invalid_client"}}),
    "in the third": (403, {"error_code": "access_denied"}),
}


@pytest.mark.parametrize("answer", DEAD.values(), ids=DEAD)
def test_a_dead_grant_is_tried_once(answer):
    found, calls = tokens(answers(answer, granted("late-token")), 0, 1)
    assert [type(one) for one in found] == [CredentialError, CredentialError]
    assert calls == 1


@pytest.mark.parametrize(
    "answer", [(400, ""), (403, ""), (401, {"error": "temporarily_unavailable"})]
)
def test_a_refusal_that_may_pass_is_tried_three_times(answer):
    found, calls = tokens(answers(answer, answer, granted("third-token")), 0)
    assert (found, calls) == (["third-token"], 3)
    found, calls = tokens(answers(answer, answer, answer, granted("late-token")), 0, 1)
    assert [type(one) for one in found] == [SourceDownError, SourceDownError]
    assert calls == 3


def test_a_token_is_renewed_when_less_than_a_minute_of_it_is_left():
    script = answers(granted("first-token", expires_in=900), granted("second-token"))
    assert tokens(script, 0, 839, 840) == (["first-token", "first-token", "first-token"], 1)
    assert tokens(script, 0, 840.5, 841) == (["first-token", "second-token", "second-token"], 2)


def test_a_token_lives_a_quarter_of_an_hour_where_the_vendor_does_not_say():
    for more in ({}, {"expires_in": None}):
        script = answers(granted("first-token", **more), granted("second-token"))
        assert tokens(script, 0, 840, 841) == (["first-token", "first-token", "second-token"], 2)


def test_a_token_that_was_refused_is_renewed_though_it_has_time_left():
    script = answers(granted("first-token", expires_in=900), granted("second-token"))
    assert tokens(script, 0, 1, refused={"first-token"}) == (["second-token", "second-token"], 2)


def test_those_whose_token_was_refused_together_have_it_renewed_once():
    async def talk(grant, _):
        refused = await grant.token()
        found = await asyncio.gather(*(grant.renewed(refused) for _ in range(3)))
        return [one.reveal() for one in found]

    script = answers(granted("first-token"), granted("second-token"), granted("third-token"))
    assert asked(script, talk) == (["second-token"] * 3, 2)


def test_a_token_s_life_begins_when_it_is_asked_for():
    clock = [0.0]

    async def slow(_, number):
        clock[0] += 100
        return web.json_response({"access_token": f"token-number-{number}", "expires_in": 900})

    async def talk(grant, now):
        found = [await grant.token()]
        now[0] = 841.0  # 741 s after it came
        found.append(await grant.token())
        return [one.reveal() for one in found]

    assert asked(slow, talk, clock) == (["token-number-1", "token-number-2"], 2)


def test_an_answer_without_a_token_is_no_dead_grant():
    found, calls = tokens(answers((200, {"token": "x"})), 0)
    assert (type(found[0]), calls) == (SourceDownError, 1)
