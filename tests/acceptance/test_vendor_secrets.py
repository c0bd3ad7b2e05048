# SPDX-License-Identifier: Apache-2.0
"""No secret of a vendor stands anywhere but where it is kept sealed: raw, base64 or URL-encoded.

Planted values are looked for in every byte of a home after commands that went well and wrong, in
what they said, and in the arguments of the processes that ran.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from aiohttp import web
from vendor_home import NOW, vendor_home

from ttapi.simulator.server import end_serving
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

ECHOED = {"canary-client/secret+01", "canary-refresh/token+02", "canary-access/token+03"}


def spellings(secret):
    """A secret as it may be written."""
    raw = secret.encode()
    packed = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
    # In the middle of another text its base64 begins at one of three places.
    packed |= {base64.b64encode(b"\0" * n + raw)[4:-4] for n in (1, 2)}
    named = {quote(secret, safe="").encode(), quote_plus(secret).encode(), quote(secret).encode()}
    return {raw} | named | {one.rstrip(b"=") for one in packed}


def leaks(folder, secrets):
    """Files below `folder` that hold a spelling of one of `secrets`."""
    wanted = {spelling for secret in secrets for spelling in spellings(secret)}
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    return [
        (str(file.relative_to(folder)), spelling)
        for file in files
        for content in [file.read_bytes()]
        for spelling in wanted
        if spelling in content
    ]


class Watch:
    """Arguments of every process whose environment names the home, as long as the block runs."""

    def __init__(self, home):
        self._mark, self._over = f"TTAPI_HOME={home}".encode(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen = set()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if self._mark in (process / "environ").read_bytes():
                        self.seen.add((process / "cmdline").read_bytes())
                except OSError:
                    continue


@pytest.fixture
def keyless(tmp_path, monkeypatch):
    """A machine without a keyring, whose user's folders are the test's."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return tmp_path


def test_commands_that_go_well_and_wrong_leave_no_secret_behind(lab, keyless):
    with vendor_home(lab, VendorMarket(7, NOW, symbols=28)) as vendor, Watch(vendor.root) as watch:
        given = [
            lab.environ.pop(f"TTAPI_TASTYTRADE_{name}")
            for name in ("CLIENT_SECRET", "REFRESH_TOKEN")
        ]
        said = [lab.ttapi("login", stdin="\n".join(given) + "\n")]
        assert said[0].returncode == 0, said[0].stderr
        said.append(lab.ttapi("refresh", "tastytrade", "dxlink", "--symbols", "SPY"))
        assert said[1].returncode == 0, said[1].stderr
        said.append(lab.ttapi("sql", "--format", "json", "select * from accounts"))
        said.append(lab.ttapi("export", "accounts", "--to", vendor.root / "exports"))
        for fault in (
            "html-401:times=0",
            "drift:field=account-number",
            "truncate:times=0",
            "revoked",
        ):
            vendor.server.faults.clear()
            vendor.server.faults.set(fault)
            said.append(lab.ttapi("refresh", "accounts", "--force"))
            assert said[-1].returncode in {1, 3}
        issued = list(vendor.server.credentials._ends)
        issued += [vendor.server.credentials.quote_token, *vendor.server.credentials._quote_ends]
    assert len(issued) > 3
    secrets = {*given, *issued}
    assert leaks(keyless, secrets) == []
    told = "".join(one.stdout + one.stderr for one in said).encode()
    assert [one for secret in secrets for one in spellings(secret) if one in told] == []
    assert len(watch.seen) > 4
    assert [one for secret in secrets for one in watch.seen if secret.encode() in one] == []


def echo_server(started, state):
    """A vendor that says back all it is told, in bodies and in refusals."""

    async def answer(request):
        heard = {**dict(request.headers), "body": await request.text()}
        access = "canary-access/token+03"
        if request.path == "/oauth/token":
            state["asked"] += 1
            return web.json_response({"access_token": access, "expires_in": 900})
        packed = base64.b64encode(access.encode()).decode()
        text = f"heard {heard} {quote(access, safe='')} {packed} {sorted(ECHOED)}"
        if request.path.endswith("/accounts"):
            row = {"account-number": "A1", "nickname": text, "unheard-of": text}
            return web.json_response({"data": {"items": [{"account": row}]}})
        if request.path.endswith("/nested"):
            return web.json_response({"data": {"items": [{"underlying-symbol": [text]}]}})
        return web.json_response({"error": {"code": text, "message": text}}, status=422)

    async def serve():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        state["port"], state["loop"] = listening.getsockname()[1], asyncio.get_running_loop()
        state["end"] = asyncio.Event()
        started.set()
        await state["end"].wait()
        await end_serving(runner, listening)

    asyncio.run(serve())


def test_a_vendor_that_echoes_our_secrets_is_not_believed(lab, keyless):
    started, state = threading.Event(), {"asked": 0}
    thread = threading.Thread(target=echo_server, args=(started, state))
    thread.start()
    assert started.wait(600)
    lab.environ |= {
        "TTAPI_TASTYTRADE_BASE_URL": f"http://127.0.0.1:{state['port']}",
        "TTAPI_TASTYTRADE_CLIENT_SECRET": "canary-client/secret+01",
        "TTAPI_TASTYTRADE_REFRESH_TOKEN": "canary-refresh/token+02",
    }
    try:
        said = [
            lab.ttapi("refresh", "tastytrade", "--symbols", "SPY"),
            lab.ttapi("status"),
            lab.ttapi("sql", "--format", "csv", "select * from raw.tastytrade_accounts"),
        ]
    finally:
        state["loop"].call_soon_threadsafe(state["end"].set)
        thread.join()
    assert said[0].returncode == 1
    assert state["asked"] >= 1
    assert leaks(keyless, ECHOED) == []
    told = "".join(one.stdout + one.stderr for one in said).encode()
    assert [one for secret in ECHOED for one in spellings(secret) if one in told] == []
    assert b"***" in told
