# SPDX-License-Identifier: Apache-2.0
"""Every door that writes a file writes into pipes and through links, in the format that the name says."""

from __future__ import annotations

import json
import os
import stat
import threading

import pytest

SQL = "select 1 as a, 'x' as b"


@pytest.fixture(scope="module")
def home(make_lab, tmp_path_factory):
    """A home that is only asked."""
    return make_lab(tmp_path_factory.mktemp("targets"))


def one_shot(home, target):
    return home.ttapi("sql", "--no-refresh", "-o", target, SQL)


def once(home, target):
    return home.ttapi("sql", "--no-refresh", stdin=f".once {target}\n{SQL};\n")


def exported(home, target):
    return home.ttapi("sql", "--no-refresh", stdin=f".export {target} {SQL}\n")


def receipt(home, target):
    return home.ttapi("sql", "--no-refresh", "--receipt", target, "-c", "select count(*) from eod")


DOORS = pytest.mark.parametrize(
    "door", [one_shot, once, exported, receipt], ids=lambda d: d.__name__
)


@DOORS
def test_a_pipe_gets_the_answer_and_stays_a_pipe(home, tmp_path, door):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    done = door(home, pipe)
    assert done.returncode == 0, done.stderr
    reader.join()
    assert json.loads(read[0])
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@DOORS
def test_a_link_is_followed_and_the_mode_stays(home, tmp_path, door):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o664)
    link.symlink_to(real)
    assert door(home, link).returncode == 0
    assert (link.is_symlink(), stat.S_IMODE(real.stat().st_mode)) == (True, 0o664)
    assert json.loads(real.read_text())


@pytest.mark.parametrize("door", [one_shot, once, exported], ids=lambda d: d.__name__)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("answer.csv", b"a,b\n1,x\n"),
        ("answer.JSON", b'[\n{"a": 1, "b": "x"}\n]\n'),
        ("answer.ndjson", b'{"a": 1, "b": "x"}\n'),
        ("answer.md", b"| a | b |\n| ---: | --- |\n| 1 | x |\n"),
        ("answer.txt", b"a  b\n-  -\n1  x\n"),
        ("answer.parquet", b"PAR1"),
    ],
)
def test_the_end_of_a_name_chooses_the_format(home, tmp_path, door, name, content):
    target = tmp_path / name
    assert door(home, target).returncode == 0
    assert target.read_bytes()[: len(content)] == content


@pytest.mark.parametrize("name", ["x.xlsx", "x.csv.gz", "x.dat", "x.sql"])
@pytest.mark.parametrize("door", [one_shot, once, exported], ids=lambda d: d.__name__)
def test_an_ending_of_no_format_here_is_refused_at_every_door(home, tmp_path, door, name):
    done = door(home, tmp_path / name)
    assert f"{name!r} says no format that is written here" in done.stderr
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


def test_a_named_format_goes_under_any_ending_but_anothers(home, tmp_path):
    def written(name):
        return home.ttapi("sql", "--no-refresh", "--csv", "-o", tmp_path / name, SQL).returncode

    assert [written(name) for name in ("x.dat", "x.2024-06", "x.xlsx", "x.csv.gz")] == [0, 0, 2, 2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.2024-06", "x.dat"]


def test_a_hyphen_is_standard_output(home):
    assert home.ttapi("sql", "--no-refresh", "-o", "-", SQL).stdout == "a,b\n1,x\n"


def test_an_answer_and_its_receipt_are_two_files(home, tmp_path):
    file = tmp_path / "same.json"
    done = home.ttapi("sql", "--no-refresh", "--receipt", file, "-o", file, "-c", SQL)
    assert (done.returncode, file.exists()) == (2, False)
    assert "cannot hold the answer and its receipt" in done.stderr


def test_a_name_that_says_nothing_holds_csv(home, tmp_path):
    assert one_shot(home, tmp_path / "answer").returncode == 0
    assert (tmp_path / "answer").read_text() == "a,b\n1,x\n"


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["-o", "answer.csv", "--format", "json", SQL], None),
        (["-o", "answer.parquet", "--csv", SQL], None),
        ([], f".mode json\n.once answer.csv\n{SQL};\n"),
        ([], f".mode box\n.output answer.parquet\n{SQL};\n"),
    ],
)
def test_a_name_that_says_another_format_is_refused(home, tmp_path, arguments, stdin):
    paths = [str(tmp_path / one) if one.startswith("answer.") else one for one in arguments]
    text = stdin and stdin.replace("answer.", f"{tmp_path}/answer.")
    done = home.ttapi("sql", "--no-refresh", *paths, stdin=text)
    assert done.returncode == 2
    assert "was asked for" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_text_file_takes_any_format_for_people(home, tmp_path):
    done = home.ttapi("sql", "--no-refresh", "-o", tmp_path / "answer.txt", "--line", SQL)
    assert (done.returncode, (tmp_path / "answer.txt").read_text()) == (0, "a = 1\nb = x\n")
