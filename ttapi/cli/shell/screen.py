# SPDX-License-Identifier: Apache-2.0
"""Where answers go: the screen, a pager when they are taller than it, or a file."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ttapi.cli.output import FORMATS, format_named, write_result
from ttapi.cli.shell.options import is_dumb
from ttapi.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ttapi.cli.shell.options import Options
    from ttapi.formats.look import Look, Page


def show_page(page: Page, options: Options, look: Look) -> str | None:
    """Write an answer where `options` say; the remark of its format, or None.

    *Raises* UsageError for a binary format on a terminal, DiskFullError for a file that is refused.
    """
    name = format_named(options.format)
    if options.once is not None:
        target, options.once = options.once, None
        return write_result(page, name, target, look)
    if options.output is not None:
        return _append(page, name, options.output, look)
    kind = FORMATS[name]
    if not (kind.is_for_people and sys.stdout.isatty()):
        return write_result(page, name, None, look)
    buffer = io.BytesIO()
    remark = kind.write(page, buffer, look)
    show_text(buffer.getvalue().decode(), has_pager=options.has_pager)
    return remark


def show_text(text: str, *, has_pager: bool) -> None:
    """Write `text` to the screen, through the pager when it is taller."""
    rows = shutil.get_terminal_size().lines
    if has_pager and text.count("\n") >= rows and sys.stdout.isatty() and not is_dumb():
        pager = pager_command(os.environ.get("PAGER"))
        if pager and _paged(pager, text):
            return
    sys.stdout.write(text)
    sys.stdout.flush()


def pager_command(wanted: str | None) -> list[str]:
    """The pager's command line: $PAGER, else less where there is one; empty for none."""
    if wanted is not None:
        return shlex.split(wanted)
    less = shutil.which("less")
    return [less] if less else []


def _paged(command: list[str], text: str) -> bool:
    # -F: leave at once what fits; -R: pass colours; -S: no wrapping; -X: keep the text on the screen.
    environ = {"LESS": "FRSX", **os.environ}
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=environ, text=True
        )  # the user's own pager
    except OSError:
        return False
    try:
        child.communicate(text)
    except KeyboardInterrupt:
        # Ctrl-C belongs to the pager; it leaves when its reader does.
        child.wait()
    except BrokenPipeError:
        child.wait()
    return True


def _append(page: Page, name: str, target: Path, look: Look) -> str | None:
    kind = FORMATS[name]
    if kind.holds_one:
        return write_result(page, name, target, look)
    try:
        with target.open("ab") as stream:
            return kind.write(page, stream, look)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
