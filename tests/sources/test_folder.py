# SPDX-License-Identifier: Apache-2.0
"""Folders and archives are listed whole, and a file is read whole or not at all."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from ttapi.errors import SourceError, UsageError
from ttapi.sources.contract import Unit
from ttapi.sources.folder import ChosenFiles, FolderTree, ZipTree, open_tree, read_all


def is_csv(key):
    return key.lower().endswith(".csv")


def keys(tree):
    return [unit.key for unit in tree.units()]


def test_listing_is_recursive_sorted_and_without_hidden_names(tmp_path):
    for name in ("b.csv", "a.CSV", "sub/deep/c.csv", ".hidden.csv", ".git/d.csv", "note.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert keys(FolderTree(tmp_path, is_csv)) == ["a.CSV", "b.csv", "sub/deep/c.csv"]


def test_what_is_no_file_fails_by_name_and_nobody_waits_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.zip")
    for tree in (FolderTree(tmp_path, is_csv), ChosenFiles(tmp_path, is_csv, pattern="*.csv")):
        link, loop, pipe = tree.units()
        for unit, told in ((link, "link.csv cannot be read: it is a pipe"), (loop, "loop.csv cannot be read: Too many levels"), (pipe, "pipe.csv cannot be read: it is a pipe")):  # fmt: skip
            with pytest.raises(SourceError, match=told):
                tree.read(unit)
    with pytest.raises(UsageError, match=r"pipe\.zip cannot be read: it is a pipe"):
        open_tree(tmp_path / "pipe.zip", is_csv, read_all)


def test_units_carry_size_and_time(tmp_path):
    (tmp_path / "a.csv").write_text("1234")
    os.utime(tmp_path / "a.csv", ns=(5, 7))
    assert FolderTree(tmp_path, is_csv).units() == [Unit("a.csv", 4, 7)]


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "does not exist"), ("file.csv", "neither a folder nor a .zip")]
)
def test_wrong_path_is_named(tmp_path, name, words):
    (tmp_path / "file.csv").write_text("x")
    with pytest.raises(UsageError, match=words) as caught:
        open_tree(tmp_path / name, is_csv, read_all)
    assert str(tmp_path / name) in str(caught.value)


def test_link_inside_is_read_and_link_outside_refused(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "secret.csv"
    root.mkdir()
    outside.write_text("secret")
    (root / "a.csv").write_text("a")
    (root / "b.csv").symlink_to(root / "a.csv")
    (root / "c.csv").symlink_to(outside)
    (root / "d.csv").symlink_to(root / "nothing")
    tree = FolderTree(root, is_csv)
    a, b, c, d = tree.units()
    assert (tree.read(a), tree.read(b)) == (b"a", b"a")
    with pytest.raises(SourceError, match=r"c\.csv is a link that leaves"):
        tree.read(c)
    with pytest.raises(SourceError, match=r"d\.csv is a link to nothing"):
        tree.read(d)


class Disturbed:
    """Reads like `read_all`, and does something to the file while it does."""

    def __init__(self, *actions):
        self.actions = list(actions)

    def __call__(self, file):
        half = file.read(3)
        if self.actions:
            self.actions.pop(0)()
        return half + file.read()


@pytest.mark.parametrize("change", ["grow", "shrink", "same size"])
def test_file_that_changes_once_is_read_again(tmp_path, change):
    path = tmp_path / "a.csv"
    path.write_bytes(b"0123456789")
    new = {"grow": b"0123456789ab", "shrink": b"01", "same size": b"abcdefghij"}[change]

    def disturb():
        path.write_bytes(new)
        os.utime(path, ns=(5, 7))

    tree = FolderTree(tmp_path, is_csv, Disturbed(disturb))
    assert tree.read(Unit("a.csv")) == new


@pytest.mark.parametrize("size", [2, 20])
def test_file_that_keeps_changing_is_given_up(tmp_path, size):
    path = tmp_path / "a.csv"
    path.write_bytes(b"0123456789")
    actions = [lambda n=n: path.write_bytes(b"x" * (size + n)) for n in range(2)]
    tree = FolderTree(tmp_path, is_csv, Disturbed(*actions))
    with pytest.raises(SourceError, match=r"a\.csv changed while being read"):
        tree.read(Unit("a.csv"))


def test_short_read_is_not_taken(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"0123456789")
    tree = FolderTree(tmp_path, is_csv, lambda file: file.read(4))
    with pytest.raises(SourceError, match=r"a\.csv changed while being read"):
        tree.read(Unit("a.csv"))


def test_file_that_vanishes_while_read_is_not_taken(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"0123456789")
    tree = FolderTree(tmp_path, is_csv, Disturbed(path.unlink))
    with pytest.raises(SourceError, match=r"a\.csv vanished while being read"):
        tree.read(Unit("a.csv"))


def test_file_replaced_while_read_gives_the_new_one(tmp_path):
    path, new = tmp_path / "a.csv", tmp_path / "new"
    path.write_bytes(b"0123456789")
    new.write_bytes(b"abcdefghij")
    tree = FolderTree(tmp_path, is_csv, Disturbed(lambda: new.replace(path)))
    assert tree.read(Unit("a.csv")) == b"abcdefghij"


CHILD = """
import os, sys
from pathlib import Path
from ttapi.errors import SourceError, UsageError
from ttapi.sources.contract import Unit
from ttapi.sources.folder import open_tree, read_all
root = Path(sys.argv[1])
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
for name in ("closed", "."):
    try:
        open_tree(root / name, lambda key: key.endswith(".csv"), read_all).units()
    except UsageError as exc:
        print(exc)
(root / "closed").exists()
try:
    open_tree(root / "open", lambda key: True, read_all).read(Unit("a.csv"))
except SourceError as exc:
    print(exc)
"""


def test_folders_and_files_without_permission_are_named(tmp_path):
    root = tmp_path / "root"
    (root / "closed").mkdir(parents=True)
    (root / "open").mkdir()
    (root / "open" / "a.csv").write_text("x")
    for folder in (root, *root.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    (root / "closed").chmod(0)
    (root / "open" / "a.csv").chmod(0)
    package = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(root)],
        capture_output=True,
        text=True,
        check=False,
        # The child may write nowhere, so its coverage is not asked for.
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("COV")},
            "PYTHONPATH": str(package),
        },
    )
    (root / "closed").chmod(0o700)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{root}/closed cannot be listed: Permission denied",
        f"{root}/closed cannot be listed: Permission denied",
        "a.csv cannot be read: Permission denied",
    ]


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6)), content, compression)
    return path


def test_archive_lists_members_and_reads_them(tmp_path):
    path = make_zip(
        tmp_path / "a.zip",
        [
            ("us/b.csv", b"bb"),
            ("a.CSV", b"a"),
            ("x.md", b""),
            (".x.csv", b""),
            ("__MACOSX/a.csv", b""),
        ],
    )
    tree = open_tree(path, is_csv, read_all)
    assert [(unit.key, unit.size) for unit in tree.units()] == [("a.CSV", 1), ("us/b.csv", 2)]
    assert [tree.read(unit) for unit in tree.units()] == [b"a", b"bb"]
    tree.close()


def test_member_with_other_bytes_has_another_stamp(tmp_path):
    stamps = []
    for content in (b"aaaa", b"bbbb"):
        tree = ZipTree(make_zip(tmp_path / "a.zip", [("a.csv", content)]), is_csv)
        stamps += [unit.mtime_ns for unit in tree.units()]
        tree.close()
    assert len(set(stamps)) == 2
    assert all(0 < stamp < 2**63 for stamp in stamps)


@pytest.mark.parametrize(
    "name", ["../up.csv", "/root.csv", "a/../../b.csv", "C:/x.csv", "a\\b.csv"]
)
def test_member_that_leaves_the_archive_is_refused(tmp_path, name):
    tree = ZipTree(make_zip(tmp_path / "a.zip", [(name, b"x"), ("good.csv", b"g")]), is_csv)
    by_key = {unit.key: unit for unit in tree.units()}
    with pytest.raises(SourceError, match="leaves the archive"):
        tree.read(by_key[name])
    assert tree.read(by_key["good.csv"]) == b"g"
    tree.close()


def test_bomb_is_refused_unread(tmp_path):
    tree = ZipTree(make_zip(tmp_path / "a.zip", [("a.csv", b"0" * (17 << 20))]), is_csv)
    with pytest.raises(SourceError, match="a bomb's ratio"):
        tree.read(tree.units()[0])
    tree.close()


def test_member_that_claims_too_much_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", [("a.csv", b"abc")], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", (1 << 30) + 1)
    path.write_bytes(data)
    tree = ZipTree(path, is_csv)
    with pytest.raises(SourceError, match="the limit is"):
        tree.read(tree.units()[0])
    tree.close()


def test_member_that_stands_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = make_zip(tmp_path / "a.zip", [("a.csv", b"1"), ("a.csv", b"2")])
    tree = ZipTree(path, is_csv)
    with pytest.raises(SourceError, match="stands 2 times"):
        tree.read(tree.units()[0])
    tree.close()


def test_damaged_member_fails_and_the_next_one_reads(tmp_path):
    path = make_zip(
        tmp_path / "a.zip", [("a.csv", b"aaaa"), ("b.csv", b"bbbb")], zipfile.ZIP_STORED
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b"aaaa", b"aaXa", 1))
    tree = ZipTree(path, is_csv)
    a, b = tree.units()
    with pytest.raises(SourceError, match=r"a\.csv in .* is damaged"):
        tree.read(a)
    assert tree.read(b) == b"bbbb"
    tree.close()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"])
def test_damaged_archive_is_named(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.zip is not a readable zip archive"):
        open_tree(path, is_csv, read_all)


def test_glob_names_files(tmp_path):
    for name in ("a.csv", "b.csv", "sub/a.csv", ".a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {
        pattern: keys(ChosenFiles(tmp_path, is_csv, read_all, pattern))
        for pattern in ("*.csv", "**/a.csv", "b*", "none*")
    }
    assert found == {
        "*.csv": ["a.csv", "b.csv"],
        "**/a.csv": ["a.csv", "sub/a.csv"],
        "b*": ["b.csv"],
        "none*": [],
    }


def test_removed_folder_between_listing_and_reading_is_a_vanished_file(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.csv").write_text("x")
    tree = FolderTree(root, is_csv)
    (unit,) = tree.units()
    shutil.rmtree(root)
    with pytest.raises(SourceError, match="vanished"):
        tree.read(unit)
