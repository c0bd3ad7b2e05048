# SPDX-License-Identifier: Apache-2.0
"""SQL of whoever may ask: run in the sandbox, told with the age of what it read."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from ttapi.api import Freshness, allow_reading, interrupt_reading
from ttapi.errors import (
    BusyError,
    LicenceError,
    NotLoadedError,
    QueryError,
    QueryTimeoutError,
    QueryTooBigError,
)
from ttapi.server.audit_trail import digest_of_sql
from ttapi.server.handlers import RouteReply
from ttapi.server.problems import Problem
from ttapi.server.rows import EncodedRows, chosen_type, json_rows, written_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.api import SandboxedAnswer
    from ttapi.server.handlers import Call
    from ttapi.server.messages import SqlBody
    from ttapi.server.served_home import ServedHome

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (QueryTimeoutError, 504),
    (QueryTooBigError, 413),
    (LicenceError, 403),
    (NotLoadedError, 502),
    (QueryError, 422),
)
"""The first that fits."""


_LONGEST_S = 86_400.0
"""Beyond what any vendor is waited for, and within what a timer counts."""


def run_sql(served: ServedHome, call: Call) -> RouteReply:
    """The rows of one SELECT.

    What it reads is refreshed first for an analyst, within the budget of `[refresh] max_calls`; for a viewer, and
    where `refresh` is false, it is answered from what is held.
    """
    body: SqlBody = call.asked
    call.noted["sql_sha256"] = digest_of_sql(body.sql)
    media_type = chosen_type(call.accept)
    sandbox = served.sandbox(call.caller)
    limits = replace(
        sandbox.limits,
        max_rows=min(body.max_rows or sandbox.limits.max_rows, sandbox.limits.max_rows),
        timeout_s=min(body.timeout_s or sandbox.limits.timeout_s, sandbox.limits.timeout_s),
    )
    may_refresh = body.refresh and call.caller.may("analyst")
    max_calls = served.database.load_environment().settings.max_calls if may_refresh else None
    try:
        with _fetching_within(body.timeout_s) as is_late:
            found = sandbox.sql(
                body.sql,
                body.parameters,
                limits=limits,
                max_calls=max_calls,
                freshness=_freshness(body, may_refresh),
            )
    except KeyboardInterrupt:
        if is_late.is_set():
            raise Problem(
                504,
                f"what it reads was not fetched within the {body.timeout_s:g} s it may take:"
                " refresh = false answers from what is held",
            ) from None
        # Its refresh was interrupted, and only the end of the daemon does that.
        raise Problem(503, "the daemon is about to end", {"retry-after": "10"}) from None
    except BusyError as exc:
        raise Problem(503, str(exc), {"retry-after": "1"}) from exc
    except QueryError as exc:
        status = next(status for kind, status in _STATUSES if isinstance(exc, kind))
        raise Problem(status, exc.message) from exc
    return RouteReply(rows=_encoded(found, media_type), headers=_headers(found))


def _freshness(body: SqlBody, may_refresh: bool) -> Freshness:
    wanted = Freshness(refresh=may_refresh, max_age=body.max_age)
    wait_s = min(wanted.wait_s, body.timeout_s or wanted.wait_s)
    return replace(wanted, wait_s=wait_s)


@contextmanager
def _fetching_within(timeout_s: float | None) -> Iterator[threading.Event]:
    """Interrupt what the block fetches after so long, the event being set; None: nothing is interrupted."""
    is_late, reader = threading.Event(), threading.current_thread()

    def interrupt() -> None:
        is_late.set()
        interrupt_reading(reader)

    timer = threading.Timer(min(timeout_s or 0.0, _LONGEST_S), interrupt)
    timer.daemon = True
    if timeout_s is not None:
        timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()
        if timeout_s is not None:
            timer.join()
        if is_late.is_set():
            allow_reading(reader)


def _encoded(found: SandboxedAnswer, media_type: str) -> EncodedRows:
    rows = found.rows
    if media_type != "application/json":
        content = written_rows(rows, media_type)
    else:
        head: dict[str, Any] = {
            "generation": found.answer.generation,
            "row_count": found.answer.row_count,
            "is_truncated": found.answer.is_truncated,
            "columns": [
                {"name": name, "type": column.type.text}
                for name, column in zip(rows.unique_names, rows.columns, strict=True)
            ],
            "ages_s": dict(found.ages_s),
            "notes": list(found.notes),
        }
        content = orjson.dumps(head)[:-1] + b',"rows":' + json_rows(rows) + b"}\n"
    return EncodedRows(content, media_type, found.answer.row_count, None)


def _headers(found: SandboxedAnswer) -> dict[str, str]:
    headers = {
        "x-ttapi-generation": str(found.answer.generation),
        "x-ttapi-truncated": str(found.answer.is_truncated).lower(),
    }
    if found.age_s is not None:
        headers["x-ttapi-data-age-s"] = f"{found.age_s:.3f}"
    return headers
