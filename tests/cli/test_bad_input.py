# SPDX-License-Identifier: Apache-2.0
"""Wrong settings, files, folders and queries: one message that names the place, the right exit code."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
GOOD = ["AAA,D,20240612,000000,10,11,9,10,1000,0"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sql", "select nothing from eod"], 1, "nothing"),
        (["sql", "select * from eodd"], 1, "eodd"),
        (["sql", "selec 1"], 1, "LINE 1: selec 1"),
        (["sql", "create table x as select 1"], 1, "read-only"),
        (["sql", "drop view eod"], 1, "read-only"),
        (["sql", ""], 2, "no SQL given"),
        (["sql", "-f", "/nowhere/x.sql"], 2, "/nowhere/x.sql"),
        (["sql", "select 1", "-c", "select 2"], 2, "give SQL once"),
        (["sql", "select 1", "--format", "xml"], 2, "'xml' is no format"),
        (["sql", "select 1", "--max-age", "soon"], 2, "'soon' is no duration"),
        (["sql", "select 1", "-o", "/nowhere/out.csv"], 2, "/nowhere/out.csv"),
        (["refresh", "eodd"], 2, "did you mean eod?"),
        (["refresh", "corporate_actions", "--from", "yesterday"], 2, "'yesterday' is no date"),
        (["refresh", "files"], 2, "TTAPI_FILES_CORPORATE_ACTIONS_PATH"),
        (["refresh", "--list", "nobody"], 2, "no universe is called 'nobody'"),
        (["status", "eodd"], 2, "'eodd' is no dataset"),
        (["export", "eod"], 2, "name a relation and a folder"),
        (["export", "eod", "--database", "x.duckdb"], 2, "leave out the relation and --to"),
        (["export", "--to", "out", "--database", "x.duckdb"], 2, "leave out the relation and --to"),
        (["export", "eod", "--to", "out", "--format", "xls"], 2, "'xls' is no export format"),
        (["init", "--metastock", "/nowhere"], 2, "/nowhere does not exist"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(lab, tmp_path, arguments, code, words):
    done = lab.ttapi(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[display\n", "not valid TOML"),
        ("[display]\nzone = 'x'\n", "unknown setting [display] zone"),
        ("[refresh]\nmax_calls = 'many'\n", "max_calls"),
        ("[sources.metastock]\nfolder = 'x'\n", "[sources.metastock] folder is no setting"),
        ("[sources.metastok]\npath = 'x'\n", "no source is called 'metastok'"),
        ("[display]\ntimezone = 'Mars/Olympus'\n", "is no time zone"),
        ("[store]\nmemory_limit = 'lots'\n", "memory_limit"),
        ("[refresh]\nmax_stale = 'banana'\n", "max_stale"),
        ("[store]\nsnapshots_kept = -5\n", "snapshots_kept"),
        ("[export]\nformats = ['xlsx']\n", "no export format"),
        ("[sources.metastock]\nprice_basis = 'guess'\n", "'guess'"),
        ("refresh = 3\n", "must be a section"),
    ],
)
def test_a_wrong_setting_is_named(lab, text, words):
    lab.home.settings_file.write_text(text)
    done = lab.ttapi("refresh")
    assert done.returncode == 2, done.stderr
    assert words in done.stderr


def test_a_command_without_a_home_says_how_to_make_one(lab, tmp_path):
    done = lab.ttapi("--home", tmp_path / "none", "refresh")
    assert done.returncode == 2
    assert "init makes one" in done.stderr


def test_a_missing_folder_is_exit_2_and_keeps_the_data(lab):
    lab.write_bars("AAA.csv", GOOD)
    lab.refresh()
    lab.environ["TTAPI_METASTOCK_PATH"] = "/nowhere/at/all"
    done = lab.ttapi("refresh")
    assert done.returncode == 2
    assert "/nowhere/at/all" in done.stderr
    assert lab.rows("select count(*) from eod") == [(1,)]


def test_rows_in_are_rows_accepted_and_refused_per_file(lab):
    lab.write_bars(
        "AAA.csv", [*GOOD, "AAA,D,0,000000,1,1,1,1,1,0", "AAA,D,20240613,000000,1,1,1,-,1,0"]
    )
    lab.write_bars("BBB.csv", ["BBB,D,20240612"])
    done = lab.ttapi("refresh")
    assert done.returncode == 1  # BBB.csv has no accepted row
    assert "BBB.csv" in done.stderr
    assert lab.rows(
        "select key, rows_in, rows_accepted, rows_refused from catalog.units where dataset = 'raw.metastock_bars' order by key"
    ) == [
        ("AAA.csv", 3, 1, 2),
        ("BBB.csv", 1, 0, 1),
    ]
    assert lab.rows("select file, line from rejects order by all") == [
        ("AAA.csv", 3),
        ("AAA.csv", 4),
        ("BBB.csv", 2),
    ]
    assert lab.ttapi("refresh").returncode == 0  # known, unchanged, in health
    assert ("no accepted row",) in lab.rows("select code from health where subject = 'BBB.csv'")


def test_a_vanished_file_keeps_its_rows_and_is_in_health(lab):
    file = lab.write_bars("AAA.csv", GOOD)
    lab.refresh()
    file.unlink()
    lab.refresh()
    assert lab.rows("select count(*) from eod") == [(1,)]
    assert "unit vanished" in {
        code for (code,) in lab.rows("select code from health where subject = 'AAA.csv'")
    }


def test_a_damaged_database_is_refused_and_left_alone(lab):
    lab.home.live_file.write_bytes(b"not a database" * 1000)
    before = lab.home.live_file.read_bytes()
    done = lab.ttapi("refresh")
    assert done.returncode == 1
    assert "market.duckdb" in done.stderr
    assert lab.home.live_file.read_bytes() == before


def test_a_foreign_database_is_refused_and_left_alone(lab):
    code = f"import duckdb; c = duckdb.connect({str(lab.home.live_file)!r}, config={{'storage_compatibility_version': 'v1.2.0'}}); c.execute('create table t as select 1')"
    lab.home.live_file.unlink()
    subprocess.run([sys.executable, "-c", code], check=True)
    before = lab.home.live_file.read_bytes()
    done = lab.ttapi("refresh")
    assert done.returncode == 1
    assert "not" in done.stderr
    assert lab.home.live_file.read_bytes() == before


def test_a_file_of_another_storage_version_is_refused(lab):
    code = f"import duckdb; c = duckdb.connect({str(lab.home.live_file)!r}, config={{'storage_compatibility_version': 'v1.5.0'}}); c.execute('create table t as select 1')"
    lab.home.live_file.unlink()
    subprocess.run([sys.executable, "-c", code], check=True)
    done = lab.ttapi("refresh")
    assert done.returncode == 1
    assert "v1.2.0" in done.stderr


def _limited(lab, arguments, prepare):
    """Run ttapi in a child that called `prepare` first."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    variables |= {
        "TTAPI_HOME": str(lab.home.root),
        "TTAPI_NOW": lab.now.isoformat(),
        "PYTHONDONTWRITEBYTECODE": "1",
        **lab.environ,
    }
    return subprocess.run(
        [sys.executable, "-m", "ttapi", *arguments],
        env=variables, capture_output=True, text=True, preexec_fn=prepare, check=False, timeout=600,
    )  # fmt: skip


def _file_size_limit(size):
    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return prepare


def _unprivileged():
    """Become nobody; where nobody cannot reach this interpreter, root without the right to ignore modes."""
    if _nobody_reaches(sys.executable):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return
    import ctypes

    pr_capbset_drop, dac_override, dac_read_search, fowner = 24, 1, 2, 3
    for capability in (dac_override, dac_read_search, fowner):
        assert ctypes.CDLL(None).prctl(pr_capbset_drop, capability, 0, 0, 0) == 0


def _nobody_reaches(executable):
    path = Path(executable).resolve()
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


def test_a_full_disk_loses_nothing_and_says_so(lab):
    lab.write_bars("AAA.csv", GOOD)
    lab.refresh()
    lines = (
        f"BBB,{n},20200102,{n % 2400:04d},{n % 97},{n % 89 + 90},{n % 7},{1 + n * 0.37},{n * 31},0"
        for n in range(60_000)
    )
    lab.write_bars("BBB.csv", [*lines, "BBB,D,20240612,000000,10,11,9,10,1000,0"])
    done = _limited(lab, ["refresh"], _file_size_limit(lab.home.live_file.stat().st_size + 200_000))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert lab.rows("select count(*) from eod where symbol = 'AAA'") == [(1,)]
    leftovers = [p.name for p in Path(lab.home.root).rglob("*") if ".tmp-" in p.name]
    assert leftovers == []
    assert lab.refresh().exit_code == 0
    assert lab.rows("select count(distinct symbol) from eod") == [(2,)]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")


@pytest.fixture
def open_path(tmp_path):
    """Let another user reach the test's folder."""
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o711)


@needs_root
def test_an_unreadable_file_fails_alone(lab, open_path):
    lab.write_bars("AAA.csv", GOOD)
    lab.write_bars("BBB.csv", ["BBB,D,20240612,000000,10,11,9,10,1000,0"]).chmod(0o000)
    _give_to(lab)
    done = _limited(lab, ["refresh"], _unprivileged)
    assert done.returncode == 1, done.stderr
    assert "BBB.csv" in done.stderr
    assert lab.rows("select symbol from eod") == [("AAA",)]


@needs_root
def test_a_read_only_home_is_exit_2(lab, open_path):
    for path in [lab.home.root, *lab.home.root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    done = _limited(lab, ["refresh"], _unprivileged)
    assert done.returncode == 2, done.stderr
    assert str(lab.home.root) in done.stderr


def _give_to(lab):
    """Let the child own what it works with: nobody, where it can become nobody."""
    uid = NOBODY if _nobody_reaches(sys.executable) else 0
    for path in [lab.home.root, *lab.home.root.rglob("*"), lab.data, *lab.data.rglob("*")]:
        os.chown(path, uid, uid, follow_symlinks=False)
