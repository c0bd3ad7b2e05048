# SPDX-License-Identifier: Apache-2.0
"""`live/state.json`: what `ttapi status` shows without opening the database."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ttapi.errors import StoreError
from ttapi.store.files import remove, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.config import Home

DAMAGED = "is_damaged"
"""The key that is true in the answer of `read_state` where the file could not be understood."""


def write_state(home: Home, state: Mapping[str, Any]) -> None:
    """Put `state` in place of the last one, whole or not at all.

    *Raises* StoreError naming the file; then the last one stands.
    """
    building = temporary_name(home.state_file)
    try:
        descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(state, stream, indent=1, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        building.replace(home.state_file)
        sync_folder(home.live)
    except OSError as exc:
        raise StoreError(f"{home.state_file} cannot be written: {exc.strerror}") from exc
    finally:
        remove(building)


def read_state(home: Home) -> dict[str, Any]:
    """The last state written; empty when none was, {DAMAGED: True} when the file makes no sense."""
    try:
        state = json.loads(home.state_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {DAMAGED: True}
    return state if isinstance(state, dict) else {DAMAGED: True}
