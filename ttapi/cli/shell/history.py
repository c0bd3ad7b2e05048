# SPDX-License-Identifier: Apache-2.0
"""What was typed, kept in the home with mode 0600; what looks like a secret is not kept."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from prompt_toolkit.history import FileHistory

from ttapi.secret import scrubbed

if TYPE_CHECKING:
    from pathlib import Path

_SECRET = re.compile(
    r"password|passwd|secret|token|credential|api_?key|\bkey\w*\s*(=|:=|')|bearer\s", re.IGNORECASE
)
LONGEST = 20_000
"""Characters of an entry that is kept."""


def looks_secret(text: str) -> bool:
    """Whether `text` may hold a password, a token or a key."""
    return bool(_SECRET.search(text))


class PrivateHistory(FileHistory):
    """A history file that only its owner reads."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self._file = file

    def append_string(self, string: str) -> None:
        """Keep what was typed, for this session only where it looks like a secret."""
        if not string.strip() or (self._loaded_strings and self._loaded_strings[0] == string):
            return
        super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write what was typed to the file; a file that cannot be written is done without."""
        if looks_secret(string) or scrubbed(string) != string or len(string) > LONGEST:
            return
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            super().store_string(string)
        except OSError:
            return
