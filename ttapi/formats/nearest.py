# SPDX-License-Identifier: Apache-2.0
"""What was probably meant by a name that nothing has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def closest(name: str, known: Iterable[str], count: int = 2) -> Sequence[str]:
    """The names most like `name`, best first; empty where none is like it."""
    import difflib  # noqa: PLC0415 - only on the way to an error

    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)
    return [by_lower[one] for one in found]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`did you mean eod?`; None where nothing is like `name`."""
    found = closest(name, known)
    return f"did you mean {' or '.join(found)}?" if found else None
