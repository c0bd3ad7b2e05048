# SPDX-License-Identifier: Apache-2.0
"""Where `ttapi demo` shows its commands: each is typed out, then run as a child process.

What is shown is what runs: the text is split as a shell would, `ttapi` and `python` are this
installation's, and nothing stands between their answers and the reader.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ttapi.errors import TtapiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PROGRAMS = {"ttapi": (sys.executable, "-m", "ttapi"), "python": (sys.executable,)}


class Stage:
    """Standard output, and the children's environment: TTAPI_HOME is the demo's, TTAPI_NOW kept."""

    def __init__(self, root: Path) -> None:
        inherited = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith("TTAPI_") or name == "TTAPI_NOW"
        }
        self._environ: Mapping[str, str] = {
            **inherited,
            "TTAPI_HOME": str(root),
            # A transcript reads the same on a screen and in a file.
            "TTAPI_DISPLAY_FORMAT": "table",
        }
        self._steps = 0

    def step(self, title: str, *lines: str) -> None:
        """Print the heading of a step and what to see in it."""
        self._steps += 1
        self.say("", f"--- {self._steps}. {title} ".ljust(78, "-"), *lines)

    def say(self, *lines: str) -> None:
        """Print lines before anything a child says."""
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def export(self, name: str, value: str, shown: str | None = None) -> None:
        """Type an `export`, for all that is run from here on; `shown` stands for a secret."""
        self._environ = {**self._environ, name: value}
        self.say(f"$ export {name}={shown or shlex.quote(value)}")

    @contextmanager
    def running(self, typed: str) -> Iterator[None]:
        """Type a command that goes on beside the others, and end it after the block."""
        self.say("", f"$ {typed} &")
        argv = _argv(shlex.split(typed))
        quiet = subprocess.DEVNULL
        with subprocess.Popen(
            argv, env=self._environ, stdin=quiet, stdout=quiet, stderr=quiet
        ) as child:
            try:
                yield
            finally:
                child.terminate()

    def run(self, typed: str, allowed: tuple[int, ...] = (0,)) -> None:
        """Type a command, or two with a pipe between, and let it answer.

        *Raises* TtapiError with its exit code when that is none of `allowed`.
        """
        self.say("", f"$ {typed}")
        words = shlex.split(typed)
        if "|" in words:
            at = words.index("|")
            codes = self._run_pipe(_argv(words[:at]), _argv(words[at + 1 :]))
        else:
            codes = [self._run_one(_argv(words))]
        failed = next((code for code in codes if code not in allowed), 0)
        if failed:
            error = TtapiError(f"the demo stopped: exit code {failed} from {typed}")
            error.exit_code = failed if failed > 0 else 1
            raise error

    def _run_one(self, argv: list[str]) -> int:
        # Talk goes where data goes, or a transcript kept in a file would lack half of it.
        return subprocess.run(
            argv, env=self._environ, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
        ).returncode

    def _run_pipe(self, left: list[str], right: list[str]) -> list[int]:
        with subprocess.Popen(
            left,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sys.stdout.fileno(),
        ) as first:
            second = subprocess.run(right, env=self._environ, stdin=first.stdout, check=False)
        return [first.returncode, second.returncode]


def _argv(words: list[str]) -> list[str]:
    program, *rest = words
    return [*_PROGRAMS.get(program, (program,)), *rest]
