# SPDX-License-Identifier: Apache-2.0
"""`ttapi backup` and `ttapi restore` as their users run them."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from ttapi.home import Home

BAR = "AAA,D,202406{:02},000000,10,11,9,{},1000,0"
CLOSES = "select close from eod order by date"


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    """One bar, published and backed up."""
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("AAA.csv", [BAR.format(11, 10)])
    assert lab.ttapi("refresh").returncode == 0
    return lab


@pytest.fixture
def loaded(once_made, tmp_path):
    return once_made.copied(tmp_path)


def backed_up(lab, *arguments):
    done = lab.ttapi("backup", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


def add_bar(lab):
    lab.write_bars("AAA.csv", [BAR.format(11, 10), BAR.format(12, 11)])
    assert lab.ttapi("refresh").returncode == 0


def tree(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_backup_is_sealed_read_only_and_listed(loaded):
    made = backed_up(loaded)
    folder = Path(made["folder"])
    assert folder.parent == loaded.home.backups
    assert (made["created_at"], made["generation"]) == ("2024-06-14T22:00:00Z", 2)
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["manifest.json", "market.duckdb"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o400}
    assert json.loads(loaded.ttapi("backup", "--list", "--json").stdout) == [made]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["tables"]["raw.metastock_bars"]["rows"] == 1
    assert (
        manifest["database"]["size"] == made["bytes"] == (folder / "market.duckdb").stat().st_size
    )


def test_restore_brings_back_the_newest_backup_and_keeps_what_was_there(loaded):
    backed_up(loaded)
    add_bar(loaded)
    assert loaded.rows(CLOSES) == [(10.0,), (11.0,)]
    done = loaded.ttapi("restore", "latest", "--yes")
    assert done.returncode == 0, done.stderr
    assert loaded.rows(CLOSES) == [(10.0,)]
    assert loaded.ttapi("verify").returncode == 0
    kept = loaded.ttapi("restore", loaded.home.live / "replaced-1" / "market.duckdb", "--yes")
    assert kept.returncode == 1  # it is no backup, for it has no manifest
    assert loaded.ttapi("refresh").returncode == 0
    assert loaded.rows(CLOSES) == [(10.0,), (11.0,)]


def test_a_working_database_is_replaced_only_when_told_so(loaded):
    backed_up(loaded)
    before = tree(loaded.home.live)
    for what in ([], ["latest"], ["snapshot"], ["empty"]):
        done = loaded.ttapi("restore", *what)
        assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert tree(loaded.home.live) == before


@pytest.mark.parametrize(
    ("what", "told"),
    [("nothing-such", "nothing-such is no backup"), ("latest", "holds no usable backup")],
)
def test_a_copy_that_is_not_there_is_told_before_anything_is_asked(loaded, what, told):
    done = loaded.ttapi("restore", what)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "--yes" not in done.stderr


@pytest.mark.compat
def test_a_backup_elsewhere_makes_a_home_on_another_machine(loaded, lab_type, tmp_path):
    loaded.write_model(
        "views/mine.sql", "-- about: Mine.\n-- kind: view\nselect 1::integer as a -- one\n"
    )
    assert loaded.ttapi("refresh").returncode == 0
    made = backed_up(loaded, "--to", tmp_path / "disk")
    assert list(loaded.home.backups.iterdir()) == []
    other = lab_type(Home(tmp_path / "new"), loaded.data, loaded.environ)
    assert other.ttapi("restore").returncode == 2
    done = other.ttapi("restore", made["folder"])
    assert done.returncode == 0, done.stderr
    assert other.rows(CLOSES) == [(10.0,)]
    assert other.rows("select a from mine") == [(1,)]
    assert (other.home.sql / "views" / "mine.sql").exists()
    assert other.ttapi("doctor").stdout.splitlines()[-1] == "nothing is wrong"


@pytest.mark.compat
def test_own_files_are_kept_without_secrets(loaded):
    home = loaded.home
    home.settings_file.write_text('[display]\ntimezone = "UTC"\n[sources.metastock]\npath = "/x"\n')
    (home.sources / "client_secret.txt").write_text("hunter2")
    (home.sources / "_tools.py").write_text("# helps\n")
    (home.root / "secrets.toml").write_text("hunter2")
    folder = Path(backed_up(loaded)["folder"])
    assert sorted(str(path) for path in tree(folder)) == [
        "manifest.json", "market.duckdb", "sources/_tools.py", "ttapi.toml",
    ]  # fmt: skip
    home.settings_file.write_text('[display]\ntimezone = "UTC"\n[sources.metastock]\npath = "/y"\n')
    (home.sources / "_tools.py").unlink()
    done = loaded.ttapi("restore", "latest", "--yes")
    assert done.returncode == 0, done.stderr
    assert (home.sources / "_tools.py").read_text() == "# helps\n"
    assert '"/y"' in home.settings_file.read_text()  # what is there stays


def test_lines_that_hold_a_secret_are_left_out_of_the_settings(loaded):
    from ttapi.store.backup import make_backup

    loaded.home.settings_file.write_text(
        '[sources.broker]\nclient_secret = "hunter2"\nrefresh_token="hunter3"\nhost = "h"\n'
    )
    made = make_backup(loaded.home, loaded.home.backups, created_at=loaded.now, version="1")
    text = (made.folder / "ttapi.toml").read_text()
    assert text == (
        '[sources.broker]\n# client_secret is left out of backups\n# refresh_token is left out of backups\nhost = "h"\n'
    )


@pytest.mark.compat
def test_keep_lets_the_oldest_go(loaded):
    folders = [backed_up(loaded)["folder"] for _ in range(3)]
    assert len(set(folders)) == 3
    newest = backed_up(loaded, "--keep", "2")["folder"]
    listed = json.loads(loaded.ttapi("backup", "--list", "--json").stdout)
    assert [one["folder"] for one in listed] == [newest, folders[2]]


def test_what_a_killed_refresh_left_unpublished_is_in_the_backup(loaded):
    loaded.home.public_file.unlink()
    made = backed_up(loaded)
    assert made["generation"] == 3
    assert loaded.rows(CLOSES) == [(10.0,)]
    assert loaded.ttapi("doctor").returncode == 0


def test_a_folder_that_cannot_hold_a_backup_is_named(loaded):
    file = loaded.data / "file"
    file.write_text("")
    done = loaded.ttapi("backup", "--to", file)
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert loaded.ttapi("backup", "--list", "--keep", "3").returncode == 2
    assert loaded.ttapi("restore", "nowhere", "--yes").returncode == 2
    assert loaded.ttapi("restore", loaded.data, "--yes").returncode == 1
    empty = Home(loaded.data / "none")
    assert loaded.ttapi("backup", TTAPI_HOME=str(empty.root)).returncode == 2


def test_a_full_disk_leaves_no_half_of_a_backup(loaded):
    import resource
    import subprocess
    import sys

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    environ = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    done = subprocess.run(
        [sys.executable, "-m", "ttapi", "backup"], preexec_fn=limited, capture_output=True, text=True,
        env=environ | {"TTAPI_HOME": str(loaded.home.root)}, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no room" in done.stderr
    assert list(loaded.home.backups.iterdir()) == []


def test_the_lock_is_waited_for(loaded):
    from ttapi.store.lock import acquire

    with acquire(loaded.home, command="someone", wait_s=0):
        for command in (["backup"], ["restore", "live"], ["verify"]):
            done = loaded.ttapi(*command, "--wait", "0")
            assert (done.returncode, "someone" in done.stderr) == (5, True)
        assert "live-locked" in loaded.ttapi("doctor").stdout
    shutil.rmtree(loaded.home.exports)
