# SPDX-License-Identifier: Apache-2.0
"""What a change touches: its Python files, or the tests of its rooms and of those that import them.

usage: touched.py files|tests [REVISION]

Compares the working tree, with what git does not know yet, with REVISION (HEAD). A room is a folder
of the package; a test file elsewhere belongs to a change when it imports a module that changed.
Tests of other programs are left to `make compat`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "ttapi"
OTHERS = {
    "sql": ("sql", "models"),
    "migrations": ("store",),
    "docs": ("docs",),
    "scripts": ("docs",),
}
"""Rooms of tests that read what is no Python."""


def changed(revision: str) -> list[Path]:
    """Files that differ from `revision` and are still there, relative to the checkout."""
    known = _git("diff", "--name-only", "--diff-filter=d", revision)
    new = _git("ls-files", "--others", "--exclude-standard")
    return [Path(line) for line in sorted({*known, *new})]


def tests_of(files: list[Path]) -> list[str]:
    """Folders and files to give to pytest."""
    rooms = {room for file in files for room in _rooms_of(file)}
    found = {f"tests/{room}" for room in rooms if (ROOT / "tests" / room).is_dir()}
    own = [file for file in files if file.parts[0] == "tests" and file.name.startswith("test_")]
    found |= {file.as_posix() for file in own}
    modules = {_module(file) for file in files if file.parts[0] == PACKAGE and file.suffix == ".py"}
    for test in (ROOT / "tests").rglob("test_*.py"):
        if modules & _imported(test):
            found.add(test.relative_to(ROOT).as_posix())
    return sorted(one for one in found if not _is_below_another(one, found))


def _rooms_of(file: Path) -> tuple[str, ...]:
    if file.parts[0] == PACKAGE and len(file.parts) > 2:
        return (file.parts[1],)
    return OTHERS.get(file.parts[0], ())


def _module(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(test: Path) -> set[str]:
    """The modules that a test file names in its imports."""
    found = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def _is_below_another(one: str, found: set[str]) -> bool:
    return any(one != other and one.startswith(f"{other}/") for other in found)


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    what, revision = sys.argv[1], (sys.argv[2:] or ["HEAD"])[0]
    touched = changed(revision)
    if what == "files":
        touched = [file for file in touched if file.suffix == ".py"]
        print(*(file.as_posix() for file in touched), sep="\n")
    else:
        print(*tests_of(touched), sep="\n")
