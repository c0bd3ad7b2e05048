# SPDX-License-Identifier: Apache-2.0
"""A recorder that dies by SIGKILL as it enters or leaves a chosen function, or at any moment.

What is chosen is counted by the interpreter's own profiling; nothing of ttapi is replaced.
"""

from __future__ import annotations

import subprocess
import sys

_LAUNCH = """
import os, runpy, signal, sys, threading

module, function, event, left = sys.argv.pop(1).split(":")
left = [int(left)]
ending = os.sep + module + ".py"

def watch(frame, what, _):
    if what == event and frame.f_code.co_name == function and frame.f_code.co_filename.endswith(ending):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

threading.setprofile(watch)
sys.argv[0] = "ttapi"
runpy.run_module("ttapi", run_name="__main__", alter_sys=True)
"""
MOMENTS = (
    "journal:append:call",
    "journal:append:return",
    "journal:_begin_segment:return",
    "journal:forget:call",
    "log:append:call",
    "log:_insert:return",
    "log:append:return",
    "log:settle:call",
    "publish:_checkpoint:return",
    "publish:_check_copy:call",
    "publish:_move_in:call",
    "publish:_move_in:return",
    "publish:_prune:call",
    "recorded_file:_leave_state:call",
)
"""File, function and event in which a recorder dies: in the journal, a commit, a difference copy and the flip."""


def start(lab, *arguments, moment="nowhere:nothing:call", count=1):
    """`ttapi stream` of two symbols' prints that dies at a moment, the so manieth time it comes."""
    words = ["stream", "SPY", "AAPL", "--types", "time_and_sales", *arguments]
    return subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, f"{moment}:{count}", *words],
        env=lab.variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def die(process, after_s):
    """Whether the process died by itself, else it is killed so long after its first publication."""
    process.stderr.readline()
    try:
        process.wait(after_s)
        is_own = True
    except subprocess.TimeoutExpired:
        process.kill()
        is_own = False
    process.stderr.close()
    process.wait()
    return is_own
