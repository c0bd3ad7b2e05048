# SPDX-License-Identifier: Apache-2.0
"""`ttapi serve` as a user runs it: what it leaves, whom it refuses, how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import httpx
import pytest
import trustme
from served_command import fail, serving
from vendor_settings import settings_of

from ttapi.server.address import is_loopback
from ttapi.server.ending import DRAIN_S, END_S, STREAM_S, Ending
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

BLOCKED = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"fastapi", "uvicorn", "starlette"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "fastapi" else found(name, *a)
from ttapi.cli.entry import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_to_its_owner_alone_and_leaves_nothing(whole_lab, tmp_path, number):
    port_file, home = tmp_path / "port.json", whole_lab.home
    with serving(whole_lab, "--port-file", port_file, "--no-scheduler") as (process, said):
        found = json.loads(port_file.read_text())
        assert sorted(found) == ["base_url", "pid", "token"]
        assert found["pid"] == process.pid
        assert said == f"ttapi: serving at {found['base_url']}; interrupt to stop\n"
        assert json.loads(home.token_file.read_text()) == found
        for file in (port_file, home.token_file, home.daemon_note):
            assert file.stat().st_mode & 0o777 == 0o600
        assert "token" not in home.daemon_note.read_text()
        headers = {"authorization": f"Bearer {found['token']}"}
        url = f"{found['base_url']}/api/v1/relations/calendar/rows?limit=1"
        assert httpx.get(url, headers=headers, trust_env=False).json()["total"] > 1000
        assert httpx.get(url, trust_env=False).status_code == 401
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == "ttapi: stopped\n"
    assert not port_file.exists() and not home.token_file.exists()
    assert list(home.pinned.iterdir()) == []
    left = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in left if found["token"].encode() in path.read_bytes()] == []


def test_other_commands_work_beside_it(whole_lab):
    with serving(whole_lab, "--no-scheduler"):
        assert "nothing is wrong" in whole_lab.ttapi("doctor").stdout
        assert whole_lab.ttapi("refresh", "calendar").returncode == 0


def test_one_daemon_serves_a_home_and_a_second_is_told_which(whole_lab):
    with serving(whole_lab, "--no-scheduler") as (process, said):
        base_url = said.split()[3].rstrip(";")
        assert fail(whole_lab, code=5) == (
            f"ttapi: {whole_lab.home.root} is served already, by process {process.pid} at {base_url}\n"
            "       one daemon serves a home: ask that one, or stop it\n"
        )
        taken = base_url.rpartition(":")[2]
        process.kill()
        process.wait(60)
        # Who was killed holds nothing; what it left stands until the next.
        assert whole_lab.home.token_file.exists()
        with serving(whole_lab, "--no-scheduler") as (_, again):
            assert again.startswith("ttapi: serving at http://127.0.0.1:")
            token = json.loads(whole_lab.home.token_file.read_text())
            assert token["base_url"] != base_url or taken


def test_the_scheduler_refreshes_what_was_never_asked_for(lab, tmp_path):
    port_file = tmp_path / "port.json"
    with serving(lab, "--port-file", port_file):
        found = json.loads(port_file.read_text())
        headers = {"authorization": f"Bearer {found['token']}"}
        with httpx.Client(base_url=found["base_url"], headers=headers, trust_env=False) as client:
            tasks = []
            while not tasks:  # it looks as soon as it starts
                tasks = client.get("/api/v1/refresh/tasks").json()["tasks"]
        assert [task["asked_by"] for task in tasks] == ["scheduler"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])
def test_an_address_beyond_this_machine_needs_tls_or_a_proxy(whole_lab, host):
    assert fail(whole_lab, "--host", host) == (
        f"ttapi: --host {host} would send tokens and data in clear over the network\n"
        "       --tls-cert and --tls-key, or --behind-proxy CIDR where a proxy has them\n"
    )


@pytest.mark.parametrize("is_shared", [False, True])
def test_what_others_see_of_personal_data_is_told_and_audited(whole_lab, is_shared):
    if is_shared:
        whole_lab.environ["TTAPI_SERVE_SHARE_PERSONAL"] = "true"
    with serving(whole_lab, "--no-scheduler", "--behind-proxy", "127.0.0.0/8") as (process, _):
        told = process.stderr.readline()
        line = json.loads((whole_lab.home.logs / "audit.jsonl").read_text())
    stands, cure = ("shared", "") if is_shared else ("hidden", "; [serve] share_personal = true")
    assert told.startswith(f"ttapi: personal datasets are {stands}{cure}")
    assert (line["who"], line["what"], line["result"]) == (
        "local",
        f"personal datasets {stands}",
        "ok",
    )
    assert line["about"] == {"is_open": True, "users": 0}


def test_what_cannot_be_served_is_told_with_what_can(whole_lab, tmp_path):
    assert "given together" in fail(whole_lab, "--tls-cert", tmp_path / "c.pem")
    (tmp_path / "c.pem").write_text("nonsense")
    bad = fail(whole_lab, "--tls-cert", tmp_path / "c.pem", "--tls-key", tmp_path / "c.pem")
    assert "are no certificate and its key" in bad
    assert "10.0.0.0/8 works" in fail(whole_lab, "--behind-proxy", "nonsense")
    nowhere = fail(whole_lab, "--port-file", tmp_path / "nowhere" / "f")
    assert "nowhere/f cannot be written: No such file or directory" in nowhere
    assert not whole_lab.home.token_file.exists()
    shutil.rmtree(whole_lab.home.live)
    assert "holds no ttapi database" in fail(whole_lab)


def test_a_port_that_is_taken_is_told(whole_lab):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = whole_lab.ttapi("serve", "--port", str(port))
        assert done.returncode == 2
        assert f"127.0.0.1:{port} cannot be listened on: Address already in use" in done.stderr
        assert "--port 0 takes a free one" in done.stderr


def test_with_a_certificate_it_speaks_tls(whole_lab, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    import ssl

    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    options = ("--no-scheduler", "--tls-cert", cert, "--tls-key", key, "--host", "localhost")
    with serving(whole_lab, *options) as (process, said):
        base_url = said.split()[3].rstrip(";")
        assert base_url.startswith("https://localhost:")
        answer = httpx.get(f"{base_url}/ready", verify=trusted, trust_env=False)
        assert answer.json() == {"status": "ready"}
        process.terminate()
        assert process.wait(60) == 0


def test_without_the_extra_it_says_what_installs_it_and_help_is_there(whole_lab):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", BLOCKED, *arguments],
            env=whole_lab.variables, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    told = run("serve")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("ttapi: ttapi serve needs the extra [server]: ")
    assert "pip install" in told.stderr and "fastapi" in told.stderr
    for words in (("--help",), ("serve", "--help"), ("status",)):
        assert run(*words).returncode == 0


def test_nothing_of_it_is_loaded_by_what_does_not_serve(whole_lab):
    code = (
        "import sys, ttapi, ttapi.api, ttapi.cli.app\n"
        "from ttapi.cli.report import report_status\n"
        "report_status(None, None, True, False)\n"
        "mine = {'fastapi', 'starlette', 'uvicorn', 'pydantic', 'mcp', 'joserfc', 'argon2', 'ttapi.server'}\n"
        "sys.stderr.write(str(sorted(mine & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=whole_lab.variables, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.stderr == "[]"


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_is_what_nobody_else_reaches(host, is_this_machine):
    assert is_loopback(host) == is_this_machine


def test_its_end_has_ten_seconds_whatever_the_steps_take():
    now, taken = [100.0], []
    ending = Ending(clock=lambda: now[0])
    ending.begin(lambda: taken.append("scheduler"), lambda: taken.append("queue"))
    now[0] += 4.0
    ending.begin(lambda: taken.append("again"))
    assert (taken, ending.left_s()) == (["scheduler", "queue", "again"], 5.0)
    now[0] += 60.0
    assert ending.left_s() == 0.0
    assert DRAIN_S + STREAM_S < END_S < 10.0


@pytest.fixture(scope="module")
def vendors():
    """A small market at its vendor's, whose metrics take ten minutes to answer."""
    now = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
    market = VendorMarket(7, now, symbols=30)
    faults = ["slow:path=/market-metrics,s=600"]
    with VendorServer(market, vendors=["tastytrade"], faults=faults) as server:
        yield server


VENDOR = {"TTAPI_TASTYTRADE_GIVE_UP_S": "600", "TTAPI_UNIVERSE_DEFAULT": "AAPL,SPX,SPY"}


def asking(lab, vendors, **environ):
    """`lab` with those vendors' credentials."""
    lab.environ |= settings_of(vendors) | VENDOR | environ
    return lab


def await_progress(lab, *processes):
    """Nothing, once the metrics are being asked for; a client that asked for it would be too hasty."""
    progress = lab.home.live / "progress.json"
    while not progress.exists() or "tastytrade_market_metrics" not in progress.read_text():
        assert [process.poll() for process in processes] == [None] * len(processes)


def test_a_refresh_that_a_source_keeps_waiting_ends_and_what_came_is_kept(whole_lab, vendors):
    lab = asking(whole_lab, vendors)
    names = ["raw.tastytrade_chains", "raw.tastytrade_market_metrics"]
    with serving(lab, "--no-scheduler") as (process, _):
        token = json.loads(lab.home.token_file.read_text())
        headers = {"authorization": f"Bearer {token['token']}"}
        with httpx.Client(base_url=token["base_url"], headers=headers, trust_env=False) as client:
            task = client.post("/api/v1/refresh", json={"datasets": names}).json()
            await_progress(lab, process)
            task = client.get(f"/api/v1/refresh/tasks/{task['id']}").json()
        assert task["state"] == "running"
        assert task["progress"] == {names[0]: [3, 3], names[1]: [0, 3]}
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr.read() == "ttapi: stopped\n"
    log = (lab.home.logs / "ttapi.log").read_text()
    assert "a refresh was cut off" not in log
    assert '"event": "refresh began"' in log
    assert lab.refresh("calendar").exit_code == 0
    assert lab.rows("select count(distinct symbol) from raw.tastytrade_chains") == [(3,)]
    assert lab.rows("select count(*) from raw.tastytrade_market_metrics") == [(0,)]


def test_a_refresh_is_cancelled_over_rest_while_its_source_is_silent(
    whole_lab, vendors, run_daemon
):
    lab = asking(whole_lab, vendors)
    with run_daemon(lab) as daemon, daemon.client("operator") as client:
        wanted = {"datasets": ["raw.tastytrade_market_metrics"]}
        place = client.post("/api/v1/refresh", json=wanted).headers["location"]
        while "raw.tastytrade_market_metrics" not in client.get(place).json()["progress"]:
            continue
        assert client.delete(place).status_code == 202
        assert daemon.served.queue.task(place.rpartition("/")[2]).over.wait(60)
        assert client.get(place).json()["state"] == "cancelled"
        after = client.post("/api/v1/refresh", json={"datasets": ["calendar"]}).headers["location"]
        assert daemon.served.queue.task(after.rpartition("/")[2]).over.wait(60)
        assert client.get(after).json()["state"] == "done", "the next one may read again"
        named = {"datasets": ["raw.tastytrade_chains"], "symbols": ["aapl"]}
        task = client.post("/api/v1/refresh", json=named).json()
        assert task["symbols"] == ["AAPL"]
        assert daemon.served.queue.task(task["id"]).over.wait(60)
        assert client.get(f"/api/v1/refresh/tasks/{task['id']}").json()["state"] == "done"
    assert lab.rows("select distinct symbol from raw.tastytrade_chains") == [("AAPL",)]


METRICS = {"sql": "select symbol from raw.tastytrade_market_metrics where symbol = 'SPY'"}


def test_a_query_waits_for_a_vendor_no_longer_than_its_caller_says(whole_lab, vendors, run_daemon):
    lab = asking(whole_lab, vendors)
    with run_daemon(lab) as daemon, daemon.client("analyst") as client:
        answer = client.post("/api/v1/sql", json=METRICS | {"timeout_s": 1.5})
        assert (answer.status_code, answer.json()["detail"]) == (
            504, "what it reads was not fetched within the 1.5 s it may take: refresh = false answers from what is held",
        )  # fmt: skip
        held = client.post("/api/v1/sql", json=METRICS | {"timeout_s": 5, "refresh": False})
        assert (held.status_code, held.json()["rows"]) == (200, [])


def test_a_vendor_that_is_dead_is_a_bad_gateway_in_plain_words(whole_lab, vendors, run_daemon):
    lab = asking(whole_lab, vendors, TTAPI_TASTYTRADE_BASE_URL="http://127.0.0.1:9", TTAPI_TASTYTRADE_GIVE_UP_S="0.05")  # fmt: skip
    with run_daemon(lab) as daemon, daemon.client("analyst") as client:
        answer = client.post("/api/v1/sql", json=METRICS)
        assert answer.status_code == 502, answer.text
        told = answer.json()["detail"]
        assert told.startswith("raw.tastytrade_market_metrics was never loaded: ")
        assert "<path>" not in told and " failed " in told


def test_an_interrupted_command_ends_its_refresh_in_the_daemon(whole_lab, vendors):
    lab = asking(whole_lab, vendors)
    with serving(lab, "--no-scheduler") as (process, _):
        token = json.loads(lab.home.token_file.read_text())
        headers = {"authorization": f"Bearer {token['token']}"}
        command = subprocess.Popen(
            [sys.executable, "-m", "ttapi", "refresh", "raw.tastytrade_market_metrics"],
            env=lab.variables, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with httpx.Client(base_url=token["base_url"], headers=headers, trust_env=False) as client:
            await_progress(lab, process, command)
            (task,) = client.get("/api/v1/refresh/tasks").json()["tasks"]
            assert task["asked_by"] == f"ttapi refresh (process {command.pid})"
            assert task["progress"] == {"raw.tastytrade_market_metrics": [0, 3]}
            command.send_signal(signal.SIGINT)
            _, talk = command.communicate(timeout=60)
            assert (command.returncode, talk) == (
                130, "ttapi: interrupted; what was committed stands\n",
            )  # fmt: skip
            (task,) = client.get("/api/v1/refresh/tasks").json()["tasks"]
            assert task["state"] == "cancelled"


def test_a_query_that_refreshes_when_the_daemon_is_to_end_ends_with_it(whole_lab, vendors):
    lab = asking(whole_lab, vendors)
    answers = []
    with serving(lab, "--no-scheduler") as (process, _):
        token = json.loads(lab.home.token_file.read_text())
        headers = {"authorization": f"Bearer {token['token']}"}
        sql = {"sql": "select symbol from raw.tastytrade_market_metrics where symbol = 'SPY'"}

        def ask():
            url = f"{token['base_url']}/api/v1/sql"
            answers.append(httpx.post(url, json=sql, headers=headers, trust_env=False, timeout=60))

        asking_thread = threading.Thread(target=ask)
        asking_thread.start()
        await_progress(lab, process)
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr.read() == "ttapi: stopped\n"
        asking_thread.join(60)
    assert [answer.status_code for answer in answers] == [503]
    assert "a refresh was cut off" not in (lab.home.logs / "ttapi.log").read_text()


def test_a_wrong_name_among_what_is_kept_fresh_is_told_at_the_start_and_by_status(whole_lab):
    whole_lab.environ["TTAPI_SERVE_KEEP_FRESH"] = "nosuch,calendar"
    with serving(whole_lab) as (process, said):
        assert said.startswith("ttapi: serving at ")
        wrong = "TTAPI_SERVE_KEEP_FRESH: 'nosuch' is no dataset"
        assert process.stderr.readline().startswith(f"ttapi: {wrong}")
        line = f"; keeps nosuch, calendar fresh\n  {wrong}"
        while line not in whole_lab.ttapi("status").stdout:
            assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 0


def test_copies_that_a_killed_daemon_left_are_gone_at_the_next_start_and_its_own_at_its_end(
    whole_lab,
):
    left = whole_lab.home.live / "shared.000001.7.duckdb"
    left.write_bytes(b"")
    whole_lab.ttapi("user", "add", "ann", "--role", "viewer", "--password-stdin", stdin="correct horse battery\n")  # fmt: skip
    with serving(whole_lab, "--no-scheduler") as (process, _):
        assert not left.exists()
        base_url = json.loads(whole_lab.home.token_file.read_text())["base_url"]
        with httpx.Client(base_url=f"{base_url}/api/v1", trust_env=False, timeout=60) as client:
            named = {"name": "ann", "password": "correct horse battery"}
            token = client.post("/login", json=named).json()["access_token"]
            headers = {"authorization": f"Bearer {token}"}
            answer = client.post("/sql", json={"sql": "select 1 as n"}, headers=headers)
            assert answer.json()["rows"] == [{"n": 1}]
        assert len(list(whole_lab.home.live.glob("shared*"))) == 1
        process.terminate()
        assert process.wait(60) == 0
    assert list(whole_lab.home.live.glob("shared*")) == []
