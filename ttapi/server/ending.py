# SPDX-License-Identifier: Apache-2.0
"""The end of a daemon, within ten seconds whatever it was about."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

END_S = 9.0
"""How long all that runs may take to end, once the daemon shall; what does not is cut off, before ten are over."""
DRAIN_S = 4
"""Of these: requests, at most."""
STREAM_S = 3.0
"""Of these: what a stream has to store and publish."""
_LOOK_S = 0.05


class Ending:
    """The end of a daemon, which takes so long and no longer from its first moment on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None

    def begin(self, *steps: Callable[[], object]) -> None:
        """Take `steps`; the time runs from the first call on."""
        if self._until is None:
            self._until = self._clock() + END_S
        for step in steps:
            step()

    def sees(self, is_so: Callable[[], bool], sleep: Callable[[float], None] = time.sleep) -> bool:
        """Whether it comes to be so in the seconds that are left."""
        while not is_so():
            if self.left_s() <= 0.0:
                return False
            sleep(_LOOK_S)
        return True

    def left_s(self) -> float:
        """How many of the seconds are left."""
        self.begin()
        assert self._until is not None
        return max(0.0, self._until - self._clock())
