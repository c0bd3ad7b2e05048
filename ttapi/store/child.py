# SPDX-License-Identifier: Apache-2.0
"""Child processes: how the owner starts one, and how one makes sure not to outlive it.

A child is started with a list of arguments, inherits no descriptor, answers with one JSON object
on standard output, and finds ttapi where its parent found it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from ttapi.errors import StoreError

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def run_child(module: str, *arguments: str) -> dict[str, object]:
    """The JSON object with which `python -m module parent_pid arguments...` answers.

    *Raises* StoreError with the last line the child said, when it fails or is killed.
    """
    command = [
        sys.executable,
        "-P",
        "-c",
        _START,
        str(_PACKAGE_PARENT),
        module,
        str(os.getpid()),
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, close_fds=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StoreError(
            f"{module} ended with code {done.returncode}: {said[-1] if said else 'it said nothing'}"
        )
    answer = json.loads(done.stdout)
    if not isinstance(answer, dict):
        raise StoreError(f"{module} answered {answer!r}, which is no object")
    return answer


def die_with_parent(parent_pid: int) -> None:
    """End this process when `parent_pid` ends; at once when it already has.

    Elsewhere than on Linux, call `check_parent` between pieces of work instead.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    check_parent(parent_pid)


def check_parent(parent_pid: int) -> None:
    """Leave without a word when the parent is gone."""
    if os.getppid() != parent_pid:
        os._exit(1)
