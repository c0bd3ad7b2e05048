# SPDX-License-Identifier: Apache-2.0
"""What a session is set to; dot-commands and flags change it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.formats.look import Look

if TYPE_CHECKING:
    from pathlib import Path

SHOWN_ROWS = 1000
"""A format for people shows at most this many rows, and says so when there are more."""


@dataclass
class Options:
    """One session's settings, each with its `.command`."""

    format: str = "auto"
    """`.mode`: auto is duckbox on a terminal, else csv."""
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

    def look(self, zone: str) -> Look:
        """How answers look, instants in `zone`."""
        return Look(
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
