# SPDX-License-Identifier: Apache-2.0
"""A restore and a backup killed at every step: the old database stands, or the new one; the doctor knows."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest
from outside import plain_environ

from ttapi.audit import diagnose, start_examination
from ttapi.home import Home
from ttapi.store.backup import list_backups
from ttapi.store.engine import connect_snapshot

pytestmark = pytest.mark.compat

# Dies by SIGKILL just before the given step; a step changes something on the disk or starts a copy.
_LAUNCH = """
import os, runpy, signal, sys

steps = {"os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.symlink", "os.truncate", "subprocess.Popen"}
left = [int(sys.argv.pop(1))]

def watch(event, arguments):
    if event in steps and ".pyc" not in str(arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

import ttapi.cli.app, ttapi.refresh.maintenance
sys.addaudithook(watch)
sys.argv[0] = "ttapi"
runpy.run_module("ttapi", run_name="__main__", alter_sys=True)
"""
EVERY = 1 if os.environ.get("TTAPI_CAMPAIGN") else 11
OLD, NEW = [(10.0,)], [(10.0,), (11.0,)]
CLOSES = "select close from raw.metastock_bars where is_current order by date"


@pytest.fixture(scope="module")
def sound(template_home, lab_type, tmp_path_factory):
    """A home that holds two bars, and a backup of when it held one."""
    folder = tmp_path_factory.mktemp("sound")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder / "data")
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    bars = [f"AAA,D,202406{day},000000,10,11,9,{close},5,0" for day, close in ((11, 10), (12, 11))]
    lab.write_bars("AAA.csv", bars[:1])
    lab.refresh()
    assert lab.ttapi("backup").returncode == 0
    lab.write_bars("AAA.csv", bars)
    lab.refresh()
    return lab


def killed_at(step, lab, *arguments):
    """The exit code of a command that dies at that step; 0: it came to its end before."""
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCH, str(step), *arguments], check=False, capture_output=True, text=True,
        env=plain_environ(TTAPI_HOME=lab.home.root, TTAPI_NOW=lab.now.isoformat(), **lab.environ),
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


def closes(file):
    with connect_snapshot(file) as connection:
        return connection.execute(CLOSES).fetchall()


def copy_of(sound, lab_type, folder):
    shutil.copytree(sound.home.root, folder, symlinks=True)
    return lab_type(Home(folder), sound.data, sound.environ)


def trouble(lab):
    patient = start_examination(
        lab.home, lab.environ, now=lab.now, clock=lab.now.replace(year=2080)
    )
    return [one for one in diagnose(patient).findings if one.severity != "note"]


@pytest.mark.campaign
def test_a_restore_killed_at_any_step_leaves_the_old_or_the_new(sound, lab_type, tmp_path):
    seen = set()
    for step in range(1, 400, EVERY):
        lab = copy_of(sound, lab_type, tmp_path / str(step))
        code = killed_at(step, lab, "restore", "latest", "--yes")
        found = closes(lab.home.live_file)
        assert found in (OLD, NEW)
        if code == 0:
            break
        assert closes(lab.home.public_file) in (OLD, NEW)
        first = trouble(lab)
        if [one for one in first if one.code == "restore-half"]:
            (half,) = [one for one in first if one.code == "restore-half"]
            command = half.command.split()[1:]
        elif first:
            command = first[0].command.split()[1:]
        else:
            command = ["doctor"]
        seen.add(command[0])
        done = lab.ttapi(*command)
        assert done.returncode == 0, (step, command, done.stderr)
        assert trouble(lab) == []
        assert lab.ttapi("verify").returncode == 0
        shutil.rmtree(lab.home.root)
    assert code == 0
    assert found == OLD
    assert "restore" in seen


@pytest.mark.campaign
def test_a_backup_killed_at_any_step_is_none_or_whole(sound, lab_type, tmp_path):
    for step in range(1, 400, EVERY):
        lab = copy_of(sound, lab_type, tmp_path / str(step))
        code = killed_at(step, lab, "backup")
        backups = list_backups(lab.home.backups)
        assert [one.error for one in backups] == [None] * len(backups)
        if code == 0:
            break
        assert lab.ttapi("backup").returncode == 0
        assert [path for path in lab.home.backups.iterdir() if ".tmp-" in path.name] == []
        assert trouble(lab) == []
        shutil.rmtree(lab.home.root)
    assert code == 0
    assert len(backups) == 2
