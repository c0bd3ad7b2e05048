# SPDX-License-Identifier: Apache-2.0
"""`ttapi user` as its owner types it: on the machine, secrets on a terminal alone, a daemon follows at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx

PASSWORD = "correct horse battery"


def user(lab, *words, stdin=None, code=0):
    done = lab.ttapi("user", *words, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done


def on_terminal(lab, *words):
    """What the command shows on a terminal."""
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ttapi", "user", *words],
            env=lab.variables, stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return os.read(ours, 65536).decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        os.close(theirs)


def test_users_are_added_listed_and_disabled_and_the_log_says_so(lab):
    added = user(lab, "add", "ann", "--role", "analyst", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (added.stdout, added.stderr) == ("", "ttapi: ann may log in as analyst\n")
    (found,) = json.loads(user(lab, "list", "--json").stdout)
    made_at = found.pop("made_at")
    assert found == {"name": "ann", "role": "analyst", "disabled_at": None, "logins": 0}
    assert user(lab, "list").stdout == f"ann                  analyst   {made_at}  0 logins\n"
    refused = user(
        lab, "add", "bob", "--role", "king", "--password-stdin", stdin=f"{PASSWORD}\n", code=2
    )
    assert (
        refused.stderr
        == "ttapi: 'king' is no role\n       one of viewer, analyst, operator, admin\n"
    )
    assert user(lab, "disable", "ann").stderr == "ttapi: ann is disabled\n"
    assert "disabled 20" in user(lab, "list").stdout
    logged = (lab.home.logs / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [(one["who"], one["what"], one["result"], one["about"]) for one in lines] == [
        ("local", "user added", "ok", {"role": "analyst", "user": "ann"}),
        ("local", "user added", "failed", {"role": "king", "user": "bob"}),
        ("local", "user disabled", "ok", {"user": "ann"}),
    ]
    assert PASSWORD not in logged


def test_a_password_comes_from_a_terminal_or_a_pipe_that_is_named(lab):
    asked = user(lab, "add", "ann", "--role", "viewer", stdin=f"{PASSWORD}\n", code=2)
    assert (
        asked.stderr
        == "ttapi: a password is asked for on a terminal\n       --password-stdin works\n"
    )
    short = user(lab, "add", "ann", "--role", "viewer", "--password-stdin", stdin="short\n", code=2)
    assert "a password of 5 characters is refused" in short.stderr


def test_a_daemon_follows_what_the_owner_does_at_once(whole_lab, tmp_path):
    user(whole_lab, "add", "ann", "--role", "viewer", "--password-stdin", stdin=f"{PASSWORD}\n")
    refused = user(whole_lab, "token", "ann", code=2)
    assert refused.stdout == ""
    assert refused.stderr.startswith("ttapi: a token is shown on a terminal only\n")
    serving = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "serve", "--port", "0", "--no-scheduler"],
        env=whole_lab.variables, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        base_url = serving.stderr.readline().split()[3].rstrip(";")
        shown = on_terminal(whole_lab, "token", "ann").splitlines()
        assert (shown[0], shown[2]) == ("access token, for 15 min:", "refresh token, good once:")
        code = on_terminal(whole_lab, "token", "ann", "--code").strip()
        headers = {"authorization": f"Bearer {shown[1]}"}
        with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as client:
            assert client.get("/api/v1/status/calendar").status_code == 200
            pair = client.post("/api/v1/login/code", json={"code": code}).json()
            assert (pair["user"], pair["role"]) == ("ann", "viewer")
            asked = {"name": "ann", "password": PASSWORD}
            assert client.post("/api/v1/login", json=asked).status_code == 200
            assert user(whole_lab, "rotate-keys").stderr.startswith(
                "ttapi: tokens are signed with key "
            )
            assert client.get("/api/v1/status/calendar").status_code == 200
            user(whole_lab, "disable", "ann")
            assert client.get("/api/v1/status/calendar").status_code == 401
            assert client.post("/api/v1/login", json=asked).status_code == 401
        serving.terminate()
        assert serving.wait(60) == 0
    finally:
        serving.kill()
        serving.communicate()
    assert "nothing is wrong" in whole_lab.ttapi("doctor").stdout
    everywhere = [
        one for one in whole_lab.home.root.rglob("*") if one.is_file() and not one.is_symlink()
    ]
    for secret in (PASSWORD, shown[1], shown[3], code, pair["access_token"], pair["refresh_token"]):
        assert [one for one in everywhere if secret.encode() in one.read_bytes()] == []


def test_a_changed_audit_log_is_a_finding_whose_command_begins_another(whole_lab):
    for name in ("ann", "bob"):
        user(whole_lab, "add", name, "--role", "viewer", "--password-stdin", stdin=f"{PASSWORD}\n")
    file = whole_lab.home.logs / "audit.jsonl"
    file.write_text(file.read_text().replace("ann", "eve"))
    done = whole_lab.ttapi("doctor", "--json")
    assert done.returncode == 1
    (found,) = [
        one for one in json.loads(done.stdout)["findings"] if one["code"] == "audit-log-broken"
    ]
    assert found["evidence"] == f"{file}, line 1 was changed"
    subprocess.run(found["command"], shell=True, check=True)
    assert "nothing is wrong" in whole_lab.ttapi("doctor").stdout
    user(whole_lab, "disable", "ann")
    assert "nothing is wrong" in whole_lab.ttapi("doctor").stdout
