# SPDX-License-Identifier: Apache-2.0
"""The suite on the newest versions that pyproject.toml allows, on every supported Python that is here.

Each Python gets an environment of its own, resolved as a user's installer does, not from the lock. A
Python that is not here is named as untried. Arguments are pytest's: python scripts/newest.py tests/store
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
_SAYS = "import sys; print('%d.%d' % sys.version_info[:2])"


def main(arguments: list[str]) -> int:
    """Exit code: 0 when every Python that is here is green."""
    found = {version: python for version in SUPPORTED if (python := interpreter(version))}
    for version in SUPPORTED:
        print(f"Python {version}: {found.get(version, 'not here, untried')}", flush=True)
    failed = [version for version in found if not passes(version, found[version], arguments)]
    for version in SUPPORTED:
        verdict = "red" if version in failed else "green" if version in found else "untried"
        print(f"Python {version}: {verdict}")
    return bool(failed) or not found


def interpreter(version: str) -> Path | None:
    """A Python of that version which really starts: a version manager's shim may not."""
    places = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout
        places += sorted(Path(root.strip()).glob(f"versions/{version}.*/bin"))
    for place in places:
        python = place / f"python{version}"
        if python.is_file():
            said = subprocess.run(
                [python, "-c", _SAYS], capture_output=True, text=True, check=False
            )
            if said.stdout.strip() == version:
                return python
    return None


def passes(version: str, base: Path, arguments: list[str]) -> bool:
    """Whether the suite is green there, after naming what differs from the lock."""
    folder = ROOT / ".cache" / "newest" / version
    python = folder / "bin" / "python"
    print(f"\nPython {version}: {folder.relative_to(ROOT)}", flush=True)
    subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    # The pip that came with this Python is a year old; users of a new environment have the newest.
    subprocess.run([*pip, "install", "-qq", "--upgrade", "pip"], check=True)
    eager = ["--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run([*pip, "install", "-qq", *eager, "-e", ".[dev]"], cwd=ROOT, check=True)
    subprocess.run([*pip, "check"], check=True)
    frozen = subprocess.run([*pip, "freeze"], capture_output=True, text=True, check=True).stdout
    for name, versions in differences(frozen, (ROOT / "requirements.lock").read_text()):
        print(f"  {name}: {versions}")
    sys.stdout.flush()
    command = [python, "-m", "pytest", "-n", "2", "--dist", "worksteal", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def differences(frozen: str, lock: str) -> list[tuple[str, str]]:
    """Of each package that is not what the lock says: its name, and which versions stand where."""
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, re.MULTILINE):
        locked.setdefault(name, []).append(version)
    return [
        (name, f"{version}, locked {' or '.join(locked.get(name, ['nothing']))}")
        for shown, version in re.findall(r"^([\w.-]+)==(\S+)", frozen, re.MULTILINE)
        if version not in locked.get(name := re.sub(r"[-_.]+", "-", shown).lower(), [])
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
