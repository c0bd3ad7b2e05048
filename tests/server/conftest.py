# SPDX-License-Identifier: Apache-2.0
"""A daemon's application behind a real uvicorn on loopback, on a home with a few bars; a client a role."""

from __future__ import annotations

import itertools
import shutil
import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager
from datetime import date, timedelta
from urllib.parse import unquote_plus

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher

from ttapi.home import Home
from ttapi.server.accounts import Accounts
from ttapi.server.address import ServeOptions
from ttapi.server.app import make_app
from ttapi.server.auth import ROLES, Identity, Tokens, new_token
from ttapi.server.daemon import server_config
from ttapi.server.guard import Place
from ttapi.server.routes import ROUTES
from ttapi.server.served_home import ServedHome

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Of passwords, for tests that have many."""
BARS = {"AAA": 60, "BBB": 40, "C.C": 25}
"""Symbols, and how many daily bars each has."""
LAST = date(2024, 6, 14)


def bars_of(symbol):
    """Bars with prices that repeat, so that an order by them has equals."""
    days = [LAST - timedelta(days=n) for n in range(3 * BARS[symbol])]
    sessions = [day for day in reversed(days) if day.weekday() < 5][-BARS[symbol] :]
    return [(day, 10 + n % 7, 11 + n % 7, 9 + n % 7, 10 + n % 5) for n, day in enumerate(sessions)]


@pytest.fixture(scope="session")
def bars_home(lab_type, whole_home):
    """A home with bars of three symbols, everything refreshed; copied, never changed."""
    from built_once import built_once

    def build(folder):
        shutil.copytree(whole_home.root, folder / "home", symlinks=True)
        (folder / "data" / "metastock").mkdir(parents=True)
        lab = lab_type(Home(folder / "home"), folder / "data")
        lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
        for symbol in BARS:
            lab.write_bars(f"{symbol}.csv", bars_of(symbol))
        lab.refresh()

    return built_once("bars", build, __file__)


@pytest.fixture(scope="session")
def make_bars_lab(bars_home, lab_type):
    """Makes a home with those bars in a folder."""

    def made(folder):
        data = folder / "data"
        lab = lab_type(Home(bars_home / "home"), bars_home / "data")
        lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
        copied = lab.copied(folder)
        assert copied.environ == {"TTAPI_METASTOCK_PATH": str(data / "metastock")}
        return copied

    return made


NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For addresses without TLS: reading the machine's authorities takes 50 ms a client."""


class Daemon:
    """A served home: where it is, and clients of each role."""

    def __init__(self, lab, base_url, served):
        self.lab, self.base_url, self.served = lab, base_url, served

    def client(self, role="admin", **changes):
        headers = {"authorization": f"Bearer token-of-{role}"} if role else {}
        return httpx.Client(
            base_url=self.base_url, headers=headers, timeout=60, trust_env=False, verify=NO_TRUST, **changes
        )  # fmt: skip


def identify(authorization):
    """Whose the tokens of these tests are."""
    for role in ROLES:
        if authorization == f"Bearer token-of-{role}":
            return Identity(role, role)
    return None


@contextmanager
def running(
    lab, *, routes=ROUTES, clock=None, hub=None, accounts=None, stream_clock=time.monotonic, **place
):
    """The application of `lab`'s home, listening until the block is left.

    `accounts`: whose tokens are good beside those of the tests.
    """
    accounts = accounts or Accounts(lab.home.accounts, hasher=CHEAP)
    minutes = clock or itertools.count(step=60).__next__
    served = ServedHome(lab.home, lab.variables, accounts=accounts, clock=minutes)
    tokens = Tokens(new_token(), served.accounts.identify)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        names = {f"127.0.0.1:{port}", f"localhost:{port}"}
        # Nobody is too hasty, unless that is what is tested.
        pace = clock or itertools.count().__next__
        try:
            where = Place(frozenset(names), **place)
            app = make_app(
                served,
                lambda shown: identify(shown) or tokens.identify(shown),
                where,
                routes=routes,
                clock=pace,
                hub=hub,
                stream_clock=stream_clock,
            )
            with listening(app, listener):
                yield Daemon(lab, f"http://127.0.0.1:{port}", served)
        finally:
            assert served.close(60)


@contextmanager
def listening(app, listener):
    """A real server in a thread, reached inside the block: what is asked before it runs waits."""
    server = uvicorn.Server(server_config(app, ServeOptions()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture(scope="session")
def run_daemon():
    """The way to have an application listen, for tests of their own."""
    return running


@pytest.fixture(scope="session")
def daemon(make_bars_lab, tmp_path_factory):
    """A daemon whose data nobody changes."""
    with running(make_bars_lab(tmp_path_factory.mktemp("served"))) as found:
        yield found


@pytest.fixture(scope="session")
def admin(daemon):
    """A client that may do everything."""
    with daemon.client() as client:
        yield client


@pytest.fixture(scope="session")
def is_problem():
    """Says whether an answer is the one envelope of errors, and of nothing more."""

    def check(answer, status):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert sorted(document) == ["detail", "request_id", "status", "title", "type"]
        assert document["status"] == status
        assert document["request_id"] == answer.headers["x-request-id"]
        asked = unquote_plus(str(answer.request.url))
        for leak in ("Traceback", "select ", "/home", "/tmp", "/dev/shm", ".py", "token-of"):
            # What was asked may be named in what is said of it.
            assert leak not in document["detail"] or leak in asked
        return document["detail"]

    return check


@pytest.fixture(scope="module")
def bars(daemon):
    """Every row of eod, as a client of the file reads them."""
    names = daemon.lab.columns("select * from eod")
    rows = [dict(zip(names, row, strict=True)) for row in daemon.lab.rows("select * from eod")]
    assert len(rows) == 125
    return rows
