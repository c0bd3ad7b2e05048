# SPDX-License-Identifier: Apache-2.0
"""`ttapi doctor`: what it answers, with which exit code, and that it changes nothing."""

from __future__ import annotations

import json
import shutil

import pytest

from ttapi.audit import CODES
from ttapi.home import Home
from ttapi.store.lock import acquire


@pytest.fixture(scope="module")
def once_loaded(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("sound"))
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,1000,0"])
    assert lab.ttapi("refresh").returncode == 0
    return lab


@pytest.fixture
def loaded(once_loaded, tmp_path):
    return once_loaded.copied(tmp_path)


def findings(done):
    return {one["code"]: one for one in json.loads(done.stdout)["findings"]}


def tree(root):
    return {
        path.relative_to(root): (path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_sound_home_is_exit_0_with_notes_only(loaded):
    done = loaded.ttapi("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert set(answer) == {"home", "versions", "is_well", "findings"}
    assert answer["is_well"] is True
    assert set(answer["versions"]) == {"ttapi", "duckdb", "python"}
    assert {one["severity"] for one in answer["findings"]} == {"note"}
    assert {"backup-missing", "source-not-configured"} <= set(findings(done))


@pytest.mark.parametrize(
    "command", [["doctor"], ["doctor", "--deep"], ["verify"], ["doctor", "--json"]]
)
def test_it_changes_nothing(loaded, command):
    loaded.home.state_file.write_text("{")
    (loaded.home.snapshots / "market.000099.duckdb.tmp-1x").write_text("")
    before = tree(loaded.home.root)
    assert loaded.ttapi(*command).returncode == 0
    after = tree(loaded.home.root)
    lock = loaded.home.lock_file.relative_to(loaded.home.root)
    assert {k: v for k, v in after.items() if k != lock} == {
        k: v for k, v in before.items() if k != lock
    }


@pytest.mark.parametrize("command", ["doctor", "verify"])
def test_a_warning_is_no_failure(loaded, command):
    loaded.home.root.chmod(0o755)
    done = loaded.ttapi(command)
    assert done.returncode == 0
    assert "warning: folder-open: other users of this machine can read the home" in done.stdout
    assert done.stdout.splitlines()[-1] == "everything works; mind the warnings"
    answer = json.loads(loaded.ttapi(command, "--json").stdout)
    assert answer["is_well"] is False
    loaded.home.public_file.unlink()
    assert loaded.ttapi(command).returncode == 1


def test_every_finding_has_code_severity_evidence_and_command(loaded):
    loaded.home.live_file.write_text("no database")
    done = loaded.ttapi("doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[1] == "error: live-no-database: what lies in place of the live file is no database"
    assert lines[2] == f"    {loaded.home.live_file} is not a DuckDB file"
    assert lines[3] == "    -> ttapi restore"
    for one in json.loads(loaded.ttapi("doctor", "--json").stdout)["findings"]:
        assert list(one) == ["code", "severity", "about", "evidence", "command"]
        assert (one["severity"], one["about"]) == CODES[one["code"]]


def test_commands_name_the_home_that_was_named(loaded, tmp_path):
    home = tmp_path / "a home"
    shutil.copytree(loaded.home.root, home, symlinks=True)
    (home / "market.duckdb").unlink()
    found = findings(loaded.ttapi("--home", home, "doctor", "--json"))
    assert found["published-link-missing"]["command"] == f"ttapi --home '{home}' restore live"


def test_where_there_is_no_home_it_says_so(loaded, tmp_path):
    done = loaded.ttapi("doctor", "--json", TTAPI_HOME=str(tmp_path / "none"))
    assert (done.returncode, list(findings(done))) == (1, ["home-missing"])
    assert not Home(tmp_path / "none").root.exists()


def test_a_running_command_is_a_note_and_nothing_is_opened(loaded):
    with acquire(loaded.home, command="ttapi refresh", wait_s=0):
        done = loaded.ttapi("doctor", "--json")
        assert done.returncode == 0
        assert "ttapi refresh" in findings(done)["live-locked"]["evidence"]
        assert loaded.ttapi("verify", "--wait", "0").returncode == 5


def test_a_failed_file_and_a_failed_check_are_found_where_they_are(loaded):
    loaded.write_model(
        "views/doubtful.sql",
        "-- about: Bars.\n-- kind: view\n-- check: range(close, 100, 200)\n"
        "select b.close::double as close -- USD\nfrom eod as b\n",
    )
    loaded.ttapi("refresh", "doubtful")
    found = findings(loaded.ttapi("doctor", "--json"))
    assert "1 bad row," in found["check-failed"]["evidence"]
    assert found["check-failed"]["command"] == "ttapi refresh doubtful"


def test_a_file_that_could_not_be_loaded_is_found(loaded):
    loaded.write_bars("BBB.csv", ["nothing of the kind"], header="what is this")
    assert loaded.ttapi("refresh", "eod").returncode == 1
    found = findings(loaded.ttapi("doctor", "--json"))
    assert "BBB.csv" in found["unit-failed"]["evidence"]
    assert found["unit-failed"]["command"] == "ttapi refresh raw.metastock_bars"
    (loaded.metastock / "BBB.csv").unlink()
    assert loaded.ttapi("refresh", "raw.metastock_bars").returncode == 0
    assert "unit-failed" not in findings(loaded.ttapi("doctor", "--json"))


def test_wrong_settings_and_unknown_sections_are_shown_with_their_line(loaded):
    file = loaded.home.settings_file
    for text, line in (
        ("[display]\ntimezone = 'Mars'\n", 2),
        ("\n[sources.broker]\nx = 1\n", 2),
        ("a = [\n", 2),
    ):
        file.write_text(text)
        done = loaded.ttapi("doctor", "--json")
        assert done.returncode == 1
        found = findings(done)["settings-wrong"]
        assert found["command"] in {f"${{EDITOR:-vi}} +{n} {file}" for n in (line, line - 1)}, found


def test_the_future_is_no_time_to_have_asked(loaded):
    done = loaded.ttapi("doctor", "--json", TTAPI_NOW="2024-06-13T22:00:00Z")
    assert findings(done)["asked-in-future"]["command"] == "ttapi refresh"


def test_deep_compares_the_published_file_and_the_ledger_with_the_data(loaded):
    import duckdb

    with duckdb.connect(str(loaded.home.live_file)) as connection:
        connection.execute("update raw.metastock_bars set close = 11")
    assert loaded.ttapi("doctor").returncode == 0
    found = findings(loaded.ttapi("verify", "--json"))
    assert "raw.metastock_bars has other content" in found["published-differs"]["evidence"]
    with duckdb.connect(str(loaded.home.live_file)) as connection:
        connection.execute("delete from raw.metastock_bars")
    found = findings(loaded.ttapi("verify", "--json"))
    assert "holds 0 rows of AAA.csv where the ledger says 1" in found["ledger-parted"]["evidence"]
    assert loaded.ttapi("restore").returncode == 0
    assert loaded.ttapi("verify").returncode == 0
    assert loaded.rows("select close from eod") == [(10.0,)]
