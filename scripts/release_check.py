# SPDX-License-Identifier: Apache-2.0
"""What must hold before anybody uploads: the name, the version, and both archives in fresh environments.

    python scripts/release_check.py dist

Nothing is uploaded. Which index is asked is pip's configuration.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
_QUERY = "select count(*) > 0 as has_sessions from calendar"


class RefusedError(Exception):
    """What stands against the upload."""


def main(dist: Path) -> int:
    """Exit code: 0 when nothing stands against the upload."""
    try:
        print(f"the name: {check_name(PROJECT['name'], PROJECT['version'])}", flush=True)
        wheel, sdist = archives(dist)
        check_same_files(wheel, sdist)
        for archive in (wheel, sdist):
            check_installed(archive)
            print(f"{archive.name}: installs, makes a home and answers", flush=True)
    except RefusedError as exc:
        print(f"not to be uploaded: {exc}", file=sys.stderr)
        return 1
    return 0


def check_name(name: str, version: str) -> str:
    """What the index says of the name: free, or ours with other versions.

    *Raises* RefusedError where it is somebody else's, holds the version, or the index cannot be asked.
    """
    if not published("pip"):
        raise RefusedError("the package index does not answer, so nobody knows whose the name is")
    versions = published(name)
    if not versions:
        return f"{name} is free"
    if version in versions:
        raise RefusedError(f"{name} {version} is published; a version is uploaded once")
    if not is_ours(name):
        raise RefusedError(f"{name} on the index is another program")
    return f"{name} is ours; published: {', '.join(versions)}"


def published(name: str) -> list[str]:
    """The versions on the index; empty where it has none or does not answer."""
    done = run([*_PIP, "index", "versions", "--pre", name], is_allowed_to_fail=True)
    found = re.search(r"^Available versions: (.*)$", done, re.MULTILINE)
    return found[1].split(", ") if found else []


def is_ours(name: str) -> bool:
    """Whether the newest release is this project: its summary, and a command of this package."""
    with tempfile.TemporaryDirectory() as folder:
        run([*_PIP, "download", "-qq", "--no-deps", "--only-binary", ":all:", "-d", folder, name])
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            inside = {n.rpartition("/")[2]: n for n in archive.namelist() if ".dist-info/" in n}
            summary = message_from_bytes(archive.read(inside["METADATA"]))["Summary"]
            commands = (
                archive.read(inside["entry_points.txt"]) if "entry_points.txt" in inside else b""
            )
    return summary == PROJECT["description"] and b"ttapi = ttapi." in commands


def archives(dist: Path) -> tuple[Path, Path]:
    """Wheel and sdist of this version, and nothing else beside them to be uploaded by mistake."""
    stem = f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}"
    wheel, sdist = dist / f"{stem}-py3-none-any.whl", dist / f"{stem}.tar.gz"
    found = sorted(file for file in dist.iterdir() if file.name != ".gitignore")
    if found != sorted([wheel, sdist]):
        raise RefusedError(f"{dist} holds {[f.name for f in found]}; make wheel")
    return wheel, sdist


def check_same_files(wheel: Path, sdist: Path) -> None:
    """Nothing, where the sdist builds the wheel that the checkout built. *Raises* RefusedError."""
    with tempfile.TemporaryDirectory() as folder:
        run([*_PIP, "wheel", "-qq", "--no-deps", "--no-build-isolation", "-w", folder, sdist])
        [again] = Path(folder).glob("*.whl")
        differing = set(contents(wheel).items()) ^ set(contents(again).items())
    if differing:
        raise RefusedError(f"the sdist builds another wheel: {sorted(n for n, _ in differing)[:5]}")


def contents(wheel: Path) -> dict[str, int]:
    """The files of a wheel, each with the checksum of its bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def check_installed(archive: Path) -> None:
    """Nothing, where a user can install and use it. *Raises* RefusedError."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "environment")
        run([sys.executable, "-m", "venv", environment])
        python, ttapi = environment / "bin" / "python", environment / "bin" / "ttapi"
        run([python, "-m", "pip", "install", "-qq", archive])
        run([python, "-m", "pip", "check"])
        home = ["--home", Path(folder, "home")]
        run([ttapi, *home, "init"])
        answer = run([ttapi, *home, "sql", "--format", "csv", _QUERY])
        if answer != "has_sessions\ntrue\n":
            raise RefusedError(f"{archive.name} answers {answer!r} to {_QUERY!r}")


def run(command: list[str | Path], *, is_allowed_to_fail: bool = False) -> str:
    """What it said on standard output. *Raises* RefusedError."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode and not is_allowed_to_fail:
        raise RefusedError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:] or ["dist"])))
