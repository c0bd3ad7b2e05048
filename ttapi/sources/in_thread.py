# SPDX-License-Identifier: Apache-2.0
"""An asynchronous iterator read by synchronous code, its event loop in a thread of its own.

A notebook has a loop running already, so none can be started beside it in the same thread; and a
reader that commits what it got must not keep the socket from its keepalives.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

Item = TypeVar("Item")


_lock = threading.Lock()
_reading: WeakKeyDictionary[threading.Thread, list[_Thread]] = WeakKeyDictionary()
"""What is read at this moment, by the thread that reads it. Not by its number: the next thread gets that."""
_stopped: WeakSet[threading.Thread] = WeakSet()
_EVERYBODY = threading.Thread(name="everybody")
"""Never started: it stands for all."""


def interrupt_reading(reader: threading.Thread) -> None:
    """Nothing; what that thread reads ends in KeyboardInterrupt, until it may read again.

    As an interrupt does in the main thread, whether it waits at that moment or comes to it later.
    """
    with _lock:
        _stopped.add(reader)
        for thread in _reading.get(reader, ()):
            thread.items.put(_End(KeyboardInterrupt()))


@contextmanager
def no_reading() -> Iterator[None]:
    """Interrupt what any thread reads, or comes to read inside the block: the process is to end."""
    with _lock:
        _stopped.add(_EVERYBODY)
        readers = [reader for reader, threads in _reading.items() if threads]
    for reader in readers:
        interrupt_reading(reader)
    try:
        yield
    finally:
        for reader in (*readers, _EVERYBODY):
            allow_reading(reader)


def allow_reading(reader: threading.Thread) -> None:
    """Nothing; what that thread reads is no longer interrupted."""
    with _lock:
        _stopped.discard(reader)


class _End:
    """What the thread says last: how it ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Thread(threading.Thread):
    def __init__(self, make: Callable[[], AsyncGenerator[object]], ahead: int) -> None:
        super().__init__(name="fetch", daemon=True)
        self.items: SimpleQueue[object] = SimpleQueue()
        self._make, self._ahead = make, ahead
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._space: asyncio.Semaphore | None = None
        self._has_started = threading.Event()

    def run(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._read())
        except BaseException as exc:  # noqa: BLE001 - it is raised again where the items are read
            error = exc
        self._has_started.set()
        self.items.put(_End(error))

    async def _read(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._space = space = asyncio.Semaphore(self._ahead)
        self._has_started.set()
        async with aclosing(self._make()) as source:
            async for item in source:
                await space.acquire()
                self.items.put(item)

    def make_space(self) -> None:
        """One item was taken: the next may be got."""
        if self._space is not None:
            self._call(self._space.release)

    def stop(self) -> None:
        """Have the iterator closed, and wait for it."""
        self._has_started.wait()
        if self._task is not None:
            self._call(self._task.cancel)
        self.join()

    def _call(self, callback: Callable[[], object]) -> None:
        # A loop that has ended in between has nothing left to be told.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)


def iterate_in_thread(make: Callable[[], AsyncGenerator[Item]], ahead: int = 8) -> Iterator[Item]:
    """What `make()` yields, at most `ahead` of them waiting; its error is raised here."""
    thread, reader = _Thread(make, ahead), threading.current_thread()
    with _lock:
        if _EVERYBODY in _stopped or reader in _stopped:
            raise KeyboardInterrupt
        _reading.setdefault(reader, []).append(thread)
    thread.start()
    try:
        while not isinstance(item := thread.items.get(), _End):
            thread.make_space()
            yield item  # type: ignore[misc] # the queue holds what `make` yields, and one _End
        if item.error is not None:
            raise item.error
    finally:
        with _lock:
            _reading[reader].remove(thread)
        thread.stop()
