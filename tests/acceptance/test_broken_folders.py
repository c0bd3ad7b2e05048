# SPDX-License-Identifier: Apache-2.0
"""Broken homes: `ttapi doctor` names what is wrong, and its one command brings the home back."""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import breakage
import breakage_around
import pytest

from ttapi.audit import CODES, diagnose, start_examination
from ttapi.home import Home

# Some fifty homes are damaged and repaired as wholes: beside kills, and minutes of it.
pytestmark = pytest.mark.compat

CLOCK = datetime(2080, 1, 1, tzinfo=UTC)
"""Later than any file, but the one a test puts ahead."""
CASES = {
    "log_left": "log-left",
    "log_torn": "log-torn",
    "log_length_flipped": "log-torn",
    "log_content_flipped": "log-damaged",
    "log_garbage": "log-damaged",
    "log_of_another_database": "log-damaged",
    "log_of_another_home": "log-foreign",
    "log_of_another_home_with_rows": "log-foreign",
    "live_header_flipped": "live-damaged",
    "live_main_header_flipped": "live-no-database",
    "live_blocks_flipped": "live-damaged",
    "live_truncated": "live-damaged",
    "live_tail_cut": "live-damaged",
    "live_empty": "live-no-database",
    "live_missing": "live-missing",
    "live_foreign": "live-foreign",
    "live_text": "live-no-database",
    "live_older": "live-older-schema",
    "live_replaced_by_an_older_one": "live-behind",
    "live_newer": "live-newer-schema",
    "live_altered": "live-altered-schema",
    "live_other_storage": "live-other-storage",
    "link_missing": "published-link-missing",
    "link_dangling": "published-link-dangling",
    "link_elsewhere": "published-link-elsewhere",
    "link_to_an_older_one": "published-link-elsewhere",
    "link_replaced": "published-link-replaced",
    "published_header_flipped": "published-damaged",
    "published_blocks_flipped": "published-damaged",
    "published_half": "published-half",
    "published_writable": "published-writable",
    "published_log": "published-log",
    "snapshots_many": "snapshots-many",
    "snapshots_gone": "folder-missing",
    "state_garbage": "state-damaged",
    "state_missing": "state-missing",
    "state_of_another_generation": "state-behind",
    "lock_stale": "lock-stale",
    "lock_of_another_host": "lock-foreign",
    "live_folder_gone": "live-missing",
    "journal_and_logs_gone": "folder-missing",
    "read_only": "folder-read-only",
    "home_open_to_all": "folder-open",
    "leftovers": "leftover-files",
    "backup_half": "backup-half",
    "backup_damaged": "backup-unusable",
    "live_and_snapshots_damaged": "live-no-database",
    "settings_bad": "settings-wrong",
    "settings_unknown": "settings-wrong",
    "model_broken": "model-broken",
    "plugin_broken": "plugin-broken",
    "clock_ahead": "file-time-in-future",
}
DEEP = {"live_blocks_flipped", "published_blocks_flipped"}
"""What only reading every block brings up."""
AROUND = (
    "state_", "lock_", "journal_", "read_only", "home_", "leftovers", "settings_", "model_", "plugin_", "clock_",
)  # fmt: skip
"""What lies around the data: no block is read to know that it is mended."""
ROWS = "select symbol, date, close from eod order by all"


@pytest.fixture(scope="module")
def sound(template_home, lab_type, tmp_path_factory):
    """A home with bars, three generations and a backup."""
    folder = tmp_path_factory.mktemp("sound")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder / "data")
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    for number, symbol in enumerate(("AAA", "BBB")):
        lab.write_bars(
            f"{symbol}.csv",
            [f"{symbol},D,202406{d},000000,10,11,9,{number + 10},5,0" for d in (11, 12, 13)],
        )
        lab.refresh()
    done = lab.ttapi("backup")
    assert done.returncode == 0, done.stderr
    assert found_in(lab, is_deep=True) == {}
    return lab


@pytest.fixture
def broken(sound, lab_type, tmp_path):
    """A copy of the sound home, to be broken."""
    shutil.copytree(sound.home.root, tmp_path / "home", symlinks=True)
    shutil.copytree(sound.data, tmp_path / "data")
    lab = lab_type(Home(tmp_path / "home"), tmp_path / "data")
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    yield lab
    for path in [lab.home.root, *lab.home.root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o700)


def found_in(lab, *, is_deep=False):
    """Findings but notes, by code."""
    patient = start_examination(lab.home, lab.environ, now=lab.now, clock=CLOCK)
    found = diagnose(patient, is_deep=is_deep, wait_s=0).findings
    for one in found:
        assert not re.search(r"\brm\b|delet|remov|unlink", one.command + one.about), one
    return {one.code: one for one in found if one.severity != "note"}


def shell(lab, command, **environ):
    """The command as a person would paste it; the editor it may open takes out the line it is shown."""
    tools = lab.data / "tools"
    tools.mkdir(exist_ok=True)
    _tool(tools / "ttapi", f'exec "{sys.executable}" -m ttapi "$@"')
    _tool(tools / "mend", 'sed -i "${1#+}d" "$2"')
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    variables |= {
        "TTAPI_HOME": str(lab.home.root),
        "TTAPI_NOW": lab.now.isoformat(),
        "EDITOR": "mend",
    }
    variables |= {"PATH": f"{tools}:{variables['PATH']}", **lab.environ, **environ}
    return subprocess.run(
        ["sh", "-c", command], env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )  # fmt: skip


def pasted(lab, command):
    """The same, in this process where it is a plain command of ttapi."""
    words = shlex.split(command)
    if words[0] == "ttapi" and not set(";|&<>$") & set(command):
        return lab.ttapi(*words[1:])
    return shell(lab, command)


def _tool(file, line):
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("case", CASES)
def test_the_doctor_names_it_and_its_one_command_repairs_it(sound, broken, case):
    room = breakage if hasattr(breakage, case) else breakage_around
    getattr(room, case)(broken)
    found = found_in(broken, is_deep=case in DEEP)
    assert CASES[case] in found, found
    done = pasted(broken, found[CASES[case]].command)
    assert done.returncode == 0, (found[CASES[case]].command, done.stderr)
    assert found_in(broken, is_deep=not case.startswith(AROUND)) == {}
    assert broken.rows(ROWS) == sound.rows(ROWS)


def test_a_home_of_which_nothing_whole_is_left_begins_anew(sound, broken):
    breakage_around.nothing_whole_is_left(broken)
    found = found_in(broken)
    assert found["live-no-database"].command == "ttapi restore empty"
    assert broken.ttapi("restore").returncode == 1
    assert broken.ttapi("restore", "empty").returncode == 0
    done = broken.ttapi("refresh")
    assert done.returncode == 0, done.stderr
    assert broken.rows(ROWS) == sound.rows(ROWS)
    assert sorted(path.name for path in broken.home.live.glob("damaged-1/*")) == ["market.duckdb"]


def test_a_full_disk_is_named_and_heals(sound, broken):
    limit = int(broken.home.live_file.stat().st_size * 1.01)
    lines = [
        f"CCC,{n},20200102,{n % 2400:04d},{n % 97},{n % 89 + 90},1,2,{n * 31},0"
        for n in range(40_000)
    ]
    broken.write_bars("CCC.csv", [*lines, "CCC,D,20240612,000000,10,11,9,10,5,0"])

    def limited(command):
        blocks = limit // 512
        return shell(broken, f"ulimit -S -f {blocks}; {command}")

    assert limited("ttapi refresh").returncode == 1
    said = limited("ttapi doctor")
    assert said.returncode == 1
    assert "file-limit" in said.stdout
    assert "ulimit -f unlimited" in said.stdout
    healed = limited("ulimit -S -f unlimited; ttapi refresh && ttapi doctor")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert set(broken.rows(ROWS)) > set(sound.rows(ROWS))


def test_every_code_of_a_broken_folder_is_declared():
    assert set(CASES.values()) <= set(CODES)
    assert len(CASES) >= 30
