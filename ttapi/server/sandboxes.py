# SPDX-License-Identifier: Apache-2.0
"""The sandboxes in which SQL of callers runs: one for each kind of what is hidden from them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ttapi.api import SandboxedDatabase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.api import SandboxLimits
    from ttapi.home import Home


class SandboxCache:
    """A sandbox for those who see private data, for those who do not, and for those who see shared data alone."""

    def __init__(
        self, home: Home, environ: Mapping[str, str], limits: SandboxLimits | None = None
    ) -> None:
        self._home, self._environ, self._limits = home, environ, limits
        self._made: dict[tuple[bool, bool], SandboxedDatabase] = {}
        self._lock = threading.Lock()

    def of(self, sees_private: bool, sees_personal: bool = True) -> SandboxedDatabase:
        """The sandbox of those who see so much, made when first needed."""
        kind = sees_private and sees_personal, sees_personal
        with self._lock:
            if kind not in self._made:
                self._made[kind] = SandboxedDatabase(
                    self._home,
                    environ=self._environ,
                    limits=self._limits,
                    is_private_hidden=not sees_private,
                    is_personal_hidden=not sees_personal,
                )
            return self._made[kind]

    def close(self) -> None:
        """Nothing; every process of them is gone."""
        with self._lock:
            for one in self._made.values():
                one.close()
            self._made.clear()
