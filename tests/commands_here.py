# SPDX-License-Identifier: Apache-2.0
"""A command run in the test's own process: its arguments, variables and files, its exit code.

Most of what a command takes as a process is spent before it begins. What a command leaves behind
in a process that goes on (variables, signals, the log's level) is put back.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import ExitStack, contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def can_run_here():
    """Whether a command may have this process: it needs the signals, which are the main thread's."""
    return threading.current_thread() is threading.main_thread()


def run_here(arguments, variables, stdin):
    """What `subprocess.run` would return for `python -m ttapi` with these arguments."""
    from ttapi.cli.entry import main

    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write((stdin or "").encode())
        given.seek(0)
        with _put_back(), _streams(given, out, err):
            os.environ.clear()
            os.environ.update(variables)
            sys.argv = ["ttapi", *arguments]
            code = _exit_code(main)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(arguments, code, *texts)


def _exit_code(main):
    """The code with which the interpreter would leave."""
    try:
        main()
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        sys.stderr.write(f"{left.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - what the interpreter would print, whatever it is
        sys.stderr.write(traceback.format_exc())
        return 1


@contextmanager
def _streams(given, out, err):
    """Standard input, output and error on these files, as text, as a process has them."""
    before = sys.stdin, sys.stdout, sys.stderr
    streams = [io.TextIOWrapper(file, encoding="utf-8") for file in (given, out, err)]
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for stream in streams:
            # The files outlive what was wrapped around them.
            stream.flush()
            stream.detach()


@contextmanager
def _put_back():
    """What belongs to the whole process is afterwards as it was."""
    variables, arguments = dict(os.environ), sys.argv
    handlers = {one: signal.getsignal(one) for one in _SIGNALS}
    log = logging.getLogger("ttapi")
    level, propagates = log.level, log.propagate
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(variables)
        sys.argv = arguments
        for one, handler in handlers.items():
            signal.signal(one, handler)
        log.setLevel(level)
        log.propagate = propagates
