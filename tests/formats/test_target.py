# SPDX-License-Identifier: Apache-2.0
"""Files that users name: a plain one is replaced as a whole, anything else is written into."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from ttapi.errors import UsageError
from ttapi.formats.records import writing


def write(target, content=b"new\n"):
    with writing(target) as building:
        building.write_bytes(content)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_file_is_made_with_the_usual_mode_and_nothing_else_remains(tmp_path):
    (tmp_path / "beside").write_text("")
    write(tmp_path / "answer.csv")
    assert (tmp_path / "answer.csv").read_bytes() == b"new\n"
    assert mode(tmp_path / "answer.csv") == mode(tmp_path / "beside")
    assert {path.name for path in tmp_path.iterdir()} == {"answer.csv", "beside"}


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o664, 0o666])
def test_a_file_that_is_there_keeps_its_mode(tmp_path, bits):
    target = tmp_path / "shared.csv"
    target.write_text("old\n")
    target.chmod(bits)
    write(target)
    assert (target.read_bytes(), mode(target)) == (b"new\n", bits)


def test_what_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path):
    target = tmp_path / "answer.csv"
    target.write_text("old\n")
    with pytest.raises(ValueError, match="half way"), writing(target) as building:
        building.write_bytes(b"half")
        raise ValueError("half way")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("answer.csv", "old\n")
    ]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_followed(tmp_path, is_there):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real.csv", tmp_path / "link.csv"
    if is_there:
        real.write_text("old\n")
    link.symlink_to("far/real.csv")
    write(link)
    assert link.is_symlink()
    assert real.read_bytes() == b"new\n"
    assert [path.name for path in real.parent.iterdir()] == ["real.csv"]


def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == [b"new\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_descriptor_of_this_process_is_written_into():
    ours, theirs = os.pipe()
    write(Path(f"/dev/fd/{theirs}"))
    os.close(theirs)
    with os.fdopen(ours, "rb") as stream:
        assert stream.read() == b"new\n"


def test_a_device_stays_one(tmp_path):
    """A node of the test's own, which swallows what it is given."""
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        node.open("wb").close()
    except OSError:
        pytest.skip("making devices, or opening them here, is not allowed")
    write(node)
    assert stat.S_ISCHR(node.stat().st_mode)


@pytest.mark.parametrize(
    ("place", "told"),
    [("no/such/answer.csv", "No such file"), ("folder", "Is a directory"), ("file/answer", "Not a directory")],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(tmp_path, place, told):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"{place} cannot be written: {told}"):
        write(tmp_path / place)


def test_a_place_of_ttapis_own_is_refused(template_home):
    with pytest.raises(UsageError, match="own place"):
        write(template_home.root / "ttapi.toml")
