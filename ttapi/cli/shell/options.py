# SPDX-License-Identifier: Apache-2.0
"""What a session is set to; dot-commands and flags change it.

Where answers go: the screen, a pager when they are taller than it, or a file.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.formats.records import FORMATS, format_named, format_of_file, write_result
from ttapi.formats.text import DisplayStyle

if TYPE_CHECKING:
    from pathlib import Path

    from ttapi.api import Rows

SHOWN_ROWS = 1000
"""A format for people shows at most this many rows, and says so when there are more."""


@dataclass
class DisplayOptions:
    """One session's settings, each with its `.command`."""

    format: str = "auto"
    """`.mode`: auto is duckbox on a terminal, else csv; in a file, what the end of its name says."""
    usual_format: str = "auto"
    """Of answers on the screen, while `format` is auto: `[display] format`."""
    max_rows: int = SHOWN_ROWS
    """`.maxrows`: rows a format for people shows; 0: all."""
    max_width: int = 0
    """`.maxwidth`: columns of the screen duckbox fills; 0: the terminal's."""
    null: str | None = None
    """`.nullvalue`: text of a missing value; None: the format's own."""
    has_header: bool = True
    """`.header`"""
    separator: str = ","
    """`.separator`: between the cells of csv."""
    thousands: str = ""
    """`.thousand_sep`"""
    has_timer: bool = True
    """`.timer`: the line of talk under an answer."""
    is_echoed: bool = False
    """`.echo`: statements are repeated on standard error."""
    ends_at_error: bool = False
    """`.bail`: a script ends at its first error."""
    is_highlighted: bool = field(default_factory=lambda: "NO_COLOR" not in os.environ)
    """`.highlight`"""
    has_pager: bool = True
    """`.pager`"""
    is_safe: bool = False
    """`.safe_mode`: no file, program or other home; never taken back."""
    prompt: str = "ttapi> "
    """`.prompt`"""
    output: Path | None = None
    """`.output`: where answers go; None: the screen."""
    once: Path | None = None
    """`.once`: where the next answer goes."""
    log: Path | None = None
    """`.log`: where statements are noted."""

    @property
    def target(self) -> Path | None:
        """The file that the next answer goes to; None: standard output."""
        return self.once or self.output

    @property
    def next_format(self) -> str:
        """The format of the next answer. *Raises* UsageError where its file's name says another."""
        if self.target is not None:
            return format_of_file(self.target, self.format, self.usual_format)
        return format_named(self.usual_format if self.format == "auto" else self.format)

    def look(self, zone: str) -> DisplayStyle:
        """How answers look, instants in `zone`."""
        return DisplayStyle(
            zone=zone,
            null=self.null,
            has_header=self.has_header,
            separator=self.separator,
            thousands=self.thousands,
            width=self.max_width or screen_width(),
        )


def screen_width() -> int:
    """Columns of the terminal; 0 where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def is_dumb() -> bool:
    """Whether the terminal takes plain lines only."""
    return os.environ.get("TERM", "") in {"", "dumb"}


def show_rows(rows: Rows, options: DisplayOptions, look: DisplayStyle) -> str | None:
    """Write an answer where `options` say; the remark of its format, or None.

    *Raises* UsageError for a binary format on a terminal, DiskFullError for a file that is refused.
    """
    name = options.next_format
    if options.once is not None:
        target, options.once = options.once, None
        return write_result(rows, name, target, look)
    if options.output is not None:
        return _append(rows, name, options.output, look)
    kind = FORMATS[name]
    if not (kind.is_for_people and sys.stdout.isatty()):
        return write_result(rows, name, None, look)
    buffer = io.BytesIO()
    remark = kind.write(rows, buffer, look)
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


def _append(rows: Rows, name: str, target: Path, look: DisplayStyle) -> str | None:
    kind = FORMATS[name]
    if kind.holds_one:
        return write_result(rows, name, target, look)
    try:
        with target.open("ab") as stream:
            return kind.write(rows, stream, look)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
