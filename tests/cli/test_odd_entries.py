# SPDX-License-Identifier: Apache-2.0
"""What lies in a folder of the home under the name of a file and is none: left out by name, waited for by nobody."""

from __future__ import annotations

import os

import pytest

from ttapi.refresh.installation import folder_stamp

ODD = {
    "dangling": (lambda path: path.symlink_to("nowhere"), "it is a link to nothing"),
    "folder": (lambda path: path.mkdir(), "it is a folder"),
    "pipe": (os.mkfifo, "it is a pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "looped": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
}


def odd_entries(folder, ending):
    folder.mkdir(exist_ok=True)
    for name, (make, _) in ODD.items():
        make(folder / f"{name}{ending}")
    for hidden in (f".#hidden{ending}", f"#hidden{ending}"):
        (folder / hidden).symlink_to("me@host.123:1")
    (folder / f"hidden{ending}~").write_text("nothing that could be read")
    (folder / "round").symlink_to(".")


@pytest.fixture
def odd(lab):
    """A home with one of each among its models, checks and sources, and bars."""
    for folder in ("views", "checks"):
        odd_entries(lab.home.sql / folder, ".sql")
    odd_entries(lab.home.sources, ".py")
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    return lab


def test_each_is_left_out_by_name_and_the_rest_goes_on(odd):
    done = odd.ttapi("sql", "select close from eod", "--csv")
    assert (done.returncode, done.stdout) == (0, "close\n10.0\n")
    for name, (_, why) in ODD.items():
        for file in (f"sql/views/{name}.sql", f"sql/checks/{name}.sql"):
            assert f"left out: {file}:1: it cannot be read: {why}\n" in done.stderr
    assert "hidden" not in done.stderr


def test_refresh_status_and_doctor_name_each(odd):
    done = odd.ttapi("refresh", "--json")
    assert done.returncode == 2
    status, doctor = odd.ttapi("status"), odd.ttapi("doctor")
    for name, (_, why) in ODD.items():
        assert f"left out: {odd.home.sources / name}.py does not load: " in done.stderr
        for text in (done.stderr, status.stdout):
            assert f"left out: sql/views/{name}.sql:1: it cannot be read: {why}\n" in text
            assert f"left out: sql/checks/{name}.sql:1: it cannot be read: {why}\n" in text
        assert f"left out: {odd.home.sources / name}.py does not load: " in status.stderr
        for file in (f"views/{name}.sql", f"checks/{name}.sql", f"sources/{name}.py"):
            assert file in doctor.stdout
    assert "hidden" not in done.stderr + status.stdout + status.stderr + doctor.stdout


@pytest.mark.parametrize("name", ODD)
def test_settings_that_are_no_file_are_one_message(lab, name):
    make, why = ODD[name]
    lab.home.settings_file.unlink(missing_ok=True)
    make(lab.home.settings_file)
    for command in (["status"], ["sql", "select 1"], ["refresh"]):
        done = lab.ttapi(*command)
        told = f"ttapi: {lab.home.settings_file} cannot be read: {why}\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


def test_a_file_that_may_be_read_again_is_looked_at_again(lab):
    file = lab.write_model("views/mine.sql", "select 1 as x")
    file.chmod(0o000)
    before = folder_stamp([lab.home.sql], ".sql")
    file.chmod(0o600)
    assert folder_stamp([lab.home.sql], ".sql") != before


def test_data_that_is_no_file_fails_by_name_and_the_rest_is_loaded(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    os.mkfifo(lab.metastock / "BBB.csv")
    (lab.metastock / "CCC.csv").symlink_to("nowhere")
    lists = lab.data / "lists"
    lists.mkdir()
    (lists / "mine.csv").write_text("name,symbol\nmine,AAA\n")
    os.mkfifo(lists / "pipe.csv")
    lab.environ["TTAPI_FILES_UNIVERSES_PATH"] = str(lists / "*.csv")
    done = lab.ttapi("refresh", "metastock", "universes")
    assert done.returncode == 1
    for told in ("BBB.csv cannot be read: it is a pipe", "CCC.csv is a link to nothing", "pipe.csv cannot be read: it is a pipe"):  # fmt: skip
        assert told in done.stderr
    assert lab.rows("select symbol, close from eod") == [("AAA", 10.0)]
    assert lab.rows("select symbol from universes where name = 'mine'") == [("AAA",)]
