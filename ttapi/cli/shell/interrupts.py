# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a statement runs: the engine is told at once, wherever the main thread is."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def interrupting(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` for each SIGINT inside the block.

    Python's own handler runs when the main thread is back from the engine, which may be minutes
    later; the byte that the signal writes is read at once, by a thread. Outside the main thread
    there is no signal to hear, and nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, written = socket.socketpair()
    written.setblocking(False)
    before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(heard, interrupt), daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        written.close()
        listener.join()
        heard.close()


def _listen(heard: socket.socket, interrupt: Callable[[], None]) -> None:
    while number := heard.recv(1):
        if number[0] == signal.SIGINT:
            interrupt()
