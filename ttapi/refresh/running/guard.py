# SPDX-License-Identifier: Apache-2.0
"""A source's code kept from bringing down what is not its own: it may be a stranger's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ttapi.errors import SourceError, TtapiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ttapi.sources.contract import Batch


@contextmanager
def guarded(source: str) -> Iterator[None]:
    """Turn whatever the source raises inside the block, but ttapi's own errors, into a SourceError."""
    try:
        yield
    except TtapiError:
        raise
    except Exception as exc:
        text = f"source {source!r} failed with {type(exc).__name__}: {exc}"
        raise SourceError(text, hint="ttapi sources names its file") from exc


def guarded_batches(source: str, batches: Iterable[Batch]) -> Iterator[Batch]:
    """`batches`, with what producing one of them raises told as the source's failure."""
    iterator = iter(batches)
    while True:
        with guarded(source):
            try:
                batch = next(iterator)
            except StopIteration:
                return
        yield batch
