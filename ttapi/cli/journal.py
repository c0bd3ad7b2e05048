# SPDX-License-Identifier: Apache-2.0
"""The log file: one JSON object a line, the run's id on every line, rotated at 20 MB, ten kept."""

from __future__ import annotations

import logging
import logging.handlers
import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttapi.config import Home

_FILE_BYTES = 20_000_000
_FILES = 10


@contextmanager
def logged(home: Home, command: str) -> Iterator[str]:
    """Log what happens inside the block to `logs/ttapi.log`; yields the run id.

    A home whose log folder cannot be written is logged to nowhere: the command itself will say so.
    """
    import structlog

    run_id = uuid.uuid4().hex[:12]
    root = logging.getLogger("ttapi")
    handler = _handler(home)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _scrub,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
    with structlog.contextvars.bound_contextvars(run_id=run_id, command=command):
        root.info("started")
        try:
            yield run_id
        except BaseException as exc:
            root.warning("failed", extra={"error_type": type(exc).__name__, "error": str(exc)})
            raise
        else:
            root.info("finished")
        finally:
            root.removeHandler(handler)
            handler.close()


def _scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """The event without any secret this process holds."""
    from ttapi.secret import scrubbed_value

    return {name: scrubbed_value(value) for name, value in event.items()}


def _handler(home: Home) -> logging.Handler:
    try:
        home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        return logging.handlers.RotatingFileHandler(
            home.logs / "ttapi.log", maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
        )
    except OSError:
        return logging.NullHandler()
