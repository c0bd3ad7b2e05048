# SPDX-License-Identifier: Apache-2.0
"""What takes long to build and is never changed: built once for a state of the code, kept in `.cache/`."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
KEPT = 4
"""States of the code of which a thing is kept, the newest."""
_CODE = ("ttapi/**/*.py", "sql/**/*.sql", "migrations/*.sql", "ttapi/**/*.csv")
_ENGINES = ("duckdb", "polars", "pyarrow", "sqlglot")


@contextmanager
def made_once(folder):
    """Yields the path to fill when `folder` is missing, else None; one process at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        building = folder.with_name(f"{folder.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        yield building
        building.rename(folder)


def built_once(name, build, *files):
    """The folder that `build(folder)` filled, for this code, these engines and these files of the tests."""
    kind = CACHE / "built" / name
    folder = kind / fingerprint(*files)[:16]
    with made_once(folder) as building:
        if building:
            building.mkdir(parents=True)
            build(building)
            _keep_the_newest(kind)
    return folder


def fingerprint(*files):
    """One text for all that decides what is built."""
    found = hashlib.sha256(_code().encode())
    for file in (__file__, *files):
        found.update(Path(file).read_bytes())
    return found.hexdigest()


@cache
def _code():
    found = hashlib.sha256(sys.version.encode())
    for package in _ENGINES:
        try:
            found.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:
            continue
    for pattern in _CODE:
        for file in sorted(ROOT.glob(pattern)):
            found.update(f"{file.relative_to(ROOT)}\n".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def _keep_the_newest(kind):
    made = [one for one in kind.iterdir() if one.is_dir() and one.suffix != ".building"]
    for one in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(one, ignore_errors=True)
