# SPDX-License-Identifier: Apache-2.0
"""What a refresh tells whoever watches it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A watcher of long work; every method may do nothing."""

    def started(self, what: str, total: int) -> None:
        """Work of `total` units (0: unknown) on `what` begins."""
        ...

    def advanced(self, what: str, done: int) -> None:
        """`done` units of `what` are finished in all."""
        ...

    def finished(self, what: str) -> None:
        """Work on `what` is over."""
        ...


class Silence:
    """A watcher that does nothing."""

    def started(self, what: str, total: int) -> None:
        """Nothing."""

    def advanced(self, what: str, done: int) -> None:
        """Nothing."""

    def finished(self, what: str) -> None:
        """Nothing."""
