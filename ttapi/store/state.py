# SPDX-License-Identifier: Apache-2.0
"""Documents beside the live file: `live/state.json`, which `ttapi status` shows without opening it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ttapi.errors import StoreError
from ttapi.store.files import remove, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ttapi.config import Home

DAMAGED = "is_damaged"
"""The key that is true in the answer where the file could not be understood."""


def write_state(home: Home, state: Mapping[str, Any]) -> None:
    """Put `state` in place of the last one, whole or not at all.

    *Raises* StoreError naming the file; then the last one stands.
    """
    write_document(home.state_file, state)


def read_state(home: Home) -> dict[str, Any]:
    """The last state written; empty when none was, {DAMAGED: True} when the file makes no sense."""
    return read_document(home.state_file)


def write_document(file: Path, document: Mapping[str, Any]) -> None:
    """Put `document` as JSON in place of `file`, whole or not at all.

    *Raises* StoreError naming the file; then what was there stands.
    """
    building = temporary_name(file)
    try:
        descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        building.replace(file)
        sync_folder(file.parent)
    except OSError as exc:
        raise StoreError(f"{file} cannot be written: {exc.strerror}") from exc
    finally:
        remove(building)


def read_document(file: Path) -> dict[str, Any]:
    """What `file` holds; empty where there is none, {DAMAGED: True} where it makes no sense."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return {DAMAGED: True}
    return document if isinstance(document, dict) else {DAMAGED: True}
