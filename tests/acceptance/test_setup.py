# SPDX-License-Identifier: Apache-2.0
"""The lock as make installs it: whatever an index has meanwhile, exactly the locked set comes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

import pytest
from outside import ROOT, install_pinned, plain_environ, run
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from packaging.markers import Marker

pytestmark = pytest.mark.compat

LOCK = ROOT / "requirements.lock"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
NEWER = "9999.0"


@dataclass(frozen=True)
class Locked:
    """One line of the lock."""

    name: str
    version: str
    marker: Marker | None

    @property
    def is_for_here(self):
        return self.marker is None or self.marker.evaluate()


def read_lock():
    lines = re.findall(r"^([A-Za-z0-9].*?)(?: \\)?$", LOCK.read_text(), re.MULTILINE)
    parsed = [Requirement(line) for line in lines]
    return [Locked(r.name, str(r.specifier).removeprefix("=="), r.marker) for r in parsed]


def here():
    """Name and version of everything the lock has for this Python and platform."""
    return {(one.name, one.version) for one in read_lock() if one.is_for_here}


@cache
def make_recipe():
    """What make runs to set up an environment, a command a line."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-B", ".venv/.installed"],
        cwd=ROOT, env=plain_environ(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def install_options():
    """The options with which make has pip install the lock."""
    [line] = [line for line in make_recipe() if "requirements.lock" in line and " -m pip " in line]
    words = shlex.split(line)
    return [word for word in words[words.index("install") + 1 :] if not word.startswith("-q")]


def write_wheel(folder, name, version, *, summary="Nothing"):
    """A wheel without a file in it, whose metadata asks for what the real package asks; its hash."""
    stem = f"{re.sub('[-.]+', '_', name)}-{version}"
    try:
        real = distribution(name).metadata
        asked = [
            f"{key}: {text}"
            for key in ("Requires-Dist", "Provides-Extra")
            for text in real.get_all(key, [])
        ]
    except PackageNotFoundError:
        asked = []
    files = {
        "METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {summary}", *asked, ""]),
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    record = "".join(
        f"{stem}.dist-info/{file},sha256={_digest(text)},{len(text.encode())}\n"
        for file, text in files.items()
    )
    files["RECORD"] = record + f"{stem}.dist-info/RECORD,,\n"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{stem}.dist-info/{file}", text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def moved_index(tmp_path_factory):
    """An index that has every locked package as locked, and a newer one; beside it the lock with its hashes."""
    folder = tmp_path_factory.mktemp("index")
    lines = []
    for one in read_lock():
        locked = write_wheel(folder, one.name, one.version)
        write_wheel(folder, one.name, NEWER)
        marker = f" ; {one.marker}" if one.marker else ""
        lines.append(f"{one.name}=={one.version}{marker} --hash=sha256:{locked}\n")
    (folder / "requirements.lock").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def pips(tmp_path_factory):
    """By name an interpreter with the oldest pip that is promised to work, and one with the newest."""
    index = tmp_path_factory.mktemp("pip")
    return {
        "23.2": lambda: install_pinned("pip-23.2", ["pip==23.2"]),
        # Not kept from run to run: what was the newest once is not for long.
        "newest": lambda: install_pinned("newest", ["pip"], index=index),
    }


@pytest.mark.parametrize("version", ["23.2", "newest"])
def test_the_locked_set_comes_from_an_index_that_has_moved_on(moved_index, pips, tmp_path, version):
    report = tmp_path / "report.json"
    python = pips[version]()
    said = run(python, "-m", "pip", "--version")
    assert version == "newest" or f"pip {version}" in said
    run(
        python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--report", report,
        "--no-index", "--find-links", moved_index, *(
            moved_index / word if word == "requirements.lock" else word for word in install_options()
        ),
        PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="", PIP_CONSTRAINT="",
    )  # fmt: skip
    chosen = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    assert {(canonicalize_name(one["name"]), one["version"]) for one in chosen} == here()


def test_make_hides_no_error_of_pip_and_reads_no_index_for_ttapi_itself():
    commands = [shlex.split(line) for line in make_recipe() if " -m pip " in line]
    assert len(commands) == 3
    quiet = [word for words in commands for word in words if word.startswith("-q")]
    assert set(quiet) == {"-qq"}, "a third q hides errors"
    [editable] = [words for words in commands if "-e" in words]
    assert {"--no-deps", "--no-build-isolation"} <= set(editable)


def test_this_environment_has_all_that_its_packages_ask_for():
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"],
        env=plain_environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "No broken requirements found.\n")


def test_the_lock_is_whole_without_a_resolver():
    known = {one.name for one in read_lock() if one.is_for_here}
    missing = set()
    for name in known:
        for line in distribution(name).metadata.get_all("Requires-Dist", []):
            asked = Requirement(line)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                missing |= {canonicalize_name(asked.name)} - known
    assert missing == set()


def test_the_lock_names_no_index_and_hashes_every_package():
    text = LOCK.read_text()
    assert "://" not in text
    assert re.findall(r"^-", text, re.MULTILINE) == []
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) == len(read_lock())


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_lock_has_a_wheel_of_every_package_for(version, tmp_path):
    """By uv, which reads markers and wheels as that Python would; pip reads markers as its own."""
    uv = install_pinned("uv", ["uv"]).with_name("uv")
    done = subprocess.run(
        [
            uv, "pip", "install", "--no-config", "--dry-run", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", "--python", sys.executable, "--python-version", version,
            "--target", tmp_path / "none", "-r", LOCK,
        ],
        env=plain_environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and re.search("(?i)failed to (fetch|connect)|error sending", done.stderr):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    there = {"python_version": version, "python_full_version": f"{version}.0"}
    wanted = {
        f"{one.name}=={one.version}"
        for one in read_lock()
        if one.marker is None or one.marker.evaluate(there)
    }
    assert set(re.findall(r"^ \+ (\S+)$", done.stderr, re.MULTILINE)) == wanted


def refused(folder, **environ):
    """Why the release check refuses, by an index that holds the wheels of a folder alone."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "release_check.py", folder / "dist"],
        env=plain_environ(
            PIP_CONFIG_FILE="/dev/null", PIP_NO_INDEX="1", PIP_FIND_LINKS=folder, **environ
        ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    return done.stdout + done.stderr


def test_a_release_is_refused_where_its_name_is_not_known_to_be_free(tmp_path):
    (tmp_path / "dist").mkdir()
    said = refused(tmp_path)
    assert "the package index does not answer" in said
    write_wheel(tmp_path, "pip", NEWER)
    said = refused(tmp_path)
    assert "the name: ttapi-db is free\n" in said
    assert "holds []; make wheel" in said
    write_wheel(tmp_path, "ttapi-db", "0.0.1", summary="A bot for a chat site")
    assert "ttapi-db on the index is another program" in refused(tmp_path)
    write_wheel(tmp_path, "ttapi-db", distribution("ttapi-db").version)
    assert "is published; a version is uploaded once" in refused(tmp_path)
