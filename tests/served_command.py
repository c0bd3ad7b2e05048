# SPDX-License-Identifier: Apache-2.0
"""`ttapi serve` as a user runs it, on a port of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def serving(lab, *arguments):
    """The running command once it says where it serves; killed at the end if it has not left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "serve", "--port", "0", *map(str, arguments)],
        env=lab.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, process.stderr.readline()
    finally:
        process.kill()
        process.communicate()


def fail(lab, *arguments, code=2):
    done = lab.ttapi("serve", "--port", "0", *map(str, arguments))
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr
