# SPDX-License-Identifier: Apache-2.0
"""Which generation is answered from while a stream publishes one every two seconds.

To open one takes a tenth of a second on a busy machine, and as long again to answer what was asked of the one
before: until that is done for the next one, everybody is answered from the one before.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from ttapi.api import published_generation
from ttapi.errors import TtapiError
from ttapi.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from ttapi.home import Home

log = logging.getLogger("ttapi.server")

_ASKED_KEPT = 64
"""Questions that are answered before they are asked again."""


class Readiness:
    """The newest generation that everybody is answered from."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._held_back: int | None = None
        self._preparing: threading.Thread | None = None
        self._asked: OrderedDict[object, Callable[[], object]] = OrderedDict()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "preparing")

    def newest(self, home: Home) -> int:
        """Its number; 0: none was published. What came after the one that is waited for is taken at once."""
        newest, held = published_generation(home), self._held_back
        is_awaited = held is not None and newest == held + 1
        if held is None or not is_awaited or threading.current_thread() is self._preparing:
            return newest
        return held

    def hold_back(self) -> None:
        """Nothing; the next one is answered from after `go_on`."""
        self._held_back = published_generation(self._home) or None

    def let_go(self) -> None:
        """Nothing; everybody is answered from the newest."""
        self._held_back = None

    def go_on(
        self, reading: Callable[[], AbstractContextManager[object]], look: Callable[[], object]
    ) -> None:
        """Nothing; everybody is answered from the newest, once what was asked of the one before is answered.

        `reading`: keeps the one before open. `look`: is called before all else.
        """
        try:
            self._worker.submit(self._prepare, reading, look)
        except RuntimeError:  # the daemon ends
            self.let_go()

    def note(self, question: object, answer: Callable[[], object]) -> None:
        """Take note of what was asked; `answer` finds and keeps the answer."""
        with self._lock:
            self._asked[question] = answer
            if len(self._asked) > _ASKED_KEPT:
                self._asked.popitem(last=False)

    def submit(self, work: Callable[[], object]) -> None:
        """Have `work` done beside what is asked, unless the daemon ends."""
        with suppress(RuntimeError):
            self._worker.submit(work)

    def close(self) -> None:
        """Nothing; nothing is prepared any more."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _prepare(
        self, reading: Callable[[], AbstractContextManager[object]], look: Callable[[], object]
    ) -> None:
        with self._lock:
            asked, self._asked = self._asked, OrderedDict()
        try:
            look()
            with reading():  # the one before, which others read meanwhile
                self._preparing = threading.current_thread()
                self._answer(asked)
        except (TtapiError, Problem) as exc:
            log.warning("nothing is prepared: %s", exc)
        finally:
            self._preparing = self._held_back = None

    @staticmethod
    def _answer(asked: Mapping[object, Callable[[], object]]) -> None:
        for answer in asked.values():
            # Whoever asks it again gets the error.
            with suppress(TtapiError, Problem):
                answer()
