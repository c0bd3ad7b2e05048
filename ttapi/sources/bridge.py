# SPDX-License-Identifier: Apache-2.0
"""An asynchronous fetch given out through the synchronous contract, item by item.

What is in flight waits while an item is being stored: one loop, one thread, nothing shared.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

T = TypeVar("T")


def drained(make: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """The items of the asynchronous iterator that `make` gives, in a loop of their own."""
    with asyncio.Runner() as runner:
        items = make()

        async def following() -> tuple[bool, T | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        async def close() -> None:
            if hasattr(items, "aclose"):
                await items.aclose()

        try:
            while True:
                is_one, item = runner.run(following())
                if not is_one:
                    return
                yield item  # type: ignore[misc]  # an item, since there was one
        finally:
            runner.run(close())
