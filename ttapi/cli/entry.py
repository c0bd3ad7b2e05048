# SPDX-License-Identifier: Apache-2.0
"""`ttapi`: one command run, and how an error becomes a message and an exit code.

The log file: one JSON object a line, the run's id on every line, rotated at 20 MB, ten kept.
"""

from __future__ import annotations

import errno
import gc
import json
import logging
import logging.handlers
import os
import re
import signal
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from ttapi.cli.plain import plain_query, plain_refresh, plain_status, plain_word
from ttapi.errors import TtapiError, UsageError
from ttapi.home import printable
from ttapi.secret import scrubbed, scrubbed_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.cli.plain import PlainQuery, PlainRefresh
    from ttapi.home import Home

_INTERRUPTED = 130
_REFUSED = {errno.EBADF, errno.ENOSPC, errno.EIO}
"""How a standard output refuses: closed, on a full disk, on a terminal that is gone."""
_GARBAGE = 20_000
"""How many more objects than there were are made before the collector looks."""
_COMMENT = re.compile(r"--(\s|[^=\n]*\n)")
"""The beginning of SQL that begins with a comment, and of no option."""


def main() -> NoReturn:
    """Run one command and leave with its exit code."""
    # Nearly all that a collector walks through is modules: a tenth of the time of a command.
    gc.set_threshold(_GARBAGE)
    signal.signal(signal.SIGTERM, _on_terminate)
    _open_streams()
    code: str | int | None = 0
    try:
        code = _exit_code()
        # What is still in a buffer is written here, where a reader who has left can be told.
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        _write_to_nobody()
    except OSError as exc:
        code = _unwritten(exc)
    # Nor does the interpreter walk through them when it ends.
    gc.freeze()
    sys.exit(code)


def _open_streams() -> None:
    """Have all three standard streams, whichever of them the caller closed.

    Else the next file that is opened takes the number of one, and is written into as if it were it.
    What is written to a closed standard output is an error, to a closed standard error is not.
    """
    ways = {0: os.O_RDONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}
    for number, way in ways.items():
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as the process


def _unwritten(error: OSError) -> int:
    """The exit code where standard output could not be written, told; so is a defect."""
    if error.filename is not None or error.errno not in _REFUSED:
        _say(traceback.format_exc())
        return 1
    is_closed = error.errno == errno.EBADF
    reason = "it is closed" if is_closed else error.strerror
    _say(
        f"ttapi: standard output cannot be written: {reason}\n       -o FILE writes an answer to a file\n"
    )
    _write_to_nobody()
    return 1


def _exit_code() -> str | int | None:
    """Run the command; what it leaves with, 0 where the reader of its output has left."""
    try:
        _run(sys.argv[1:])
    except TtapiError as exc:
        _tell(exc)
        return exc.exit_code
    except BrokenPipeError:
        # Whoever read our output has left; nothing is wrong.
        _write_to_nobody()
    except OSError as exc:
        return _unwritten(exc)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as exc:
        if exc.code == _INTERRUPTED:
            _interrupted()
        if isinstance(exc.__context__, BrokenPipeError):
            # Typer and Rich leave with 1 while they handle it.
            _write_to_nobody()
            return 0
        return exc.code
    except Exception as exc:  # noqa: BLE001 - a defect: told whole, but for secrets
        # DuckDB 2.0 tells an interrupted query by a bare RuntimeError.
        if isinstance(exc, RuntimeError) and "interrupted" in str(exc).lower():
            _interrupted()
        _say(traceback.format_exc())
        return 1
    return 0


def _write_to_nobody() -> None:
    """Send what is still to be written, at the interpreter's end too, where nobody refuses it."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__ or sys.stdout, sys.__stderr__ or sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                os.dup2(nobody, stream.fileno())
    os.close(nobody)


def _interrupted() -> NoReturn:
    _say("ttapi: interrupted; what was committed stands\n")
    sys.exit(_INTERRUPTED)


def _run_plain(query: PlainQuery) -> int:
    from ttapi.api import Freshness
    from ttapi.cli.shell.options import DisplayOptions
    from ttapi.cli.shell.start import Start, asked_format, given_text, run_sql

    fmt = query.fmt if query.fmt == "auto" else asked_format(query.fmt)
    start = Start(query.home, freshness=Freshness(query.is_refreshed))
    text = given_text(query.statement, query.commands)
    return run_sql(start, DisplayOptions(format=fmt, once=query.output), text)


def _run_refresh(asked: PlainRefresh) -> int:
    from ttapi.api import RefreshRequest
    from ttapi.cli.report import refresh_environment, run_refresh

    environment, request = refresh_environment(asked.home), RefreshRequest(asked.datasets)
    return run_refresh(environment, request, asks=not asked.is_agreed, as_json=asked.is_json)


def _readable(arguments: Sequence[str]) -> list[str]:
    """The arguments, SQL that begins with a comment marked as none of the options.

    *Raises* UsageError for bytes that are no UTF-8, unless they name a file that is there; SQL is told
    where they stand by its own command.
    """
    for number, text in enumerate(arguments, 1):
        is_text = text.isascii() or text.encode(errors="replace").decode() == text
        if not is_text and arguments[0] != "sql" and not os.path.lexists(text):
            shown = printable(text)
            raise UsageError(f"argument {number} is no UTF-8: {shown}")
    return [f"\n{text}" if _COMMENT.match(text) else text for text in arguments]


def _run(given: Sequence[str]) -> None:
    arguments = _readable(given)
    wanted = plain_status(arguments)
    if wanted is not None:
        from ttapi.cli.report import report_status

        report_status(*wanted)
        return
    asked = plain_refresh(arguments)
    if asked is not None:
        sys.exit(_run_refresh(asked))
    fresh = plain_word(arguments, "init")
    if fresh is not None:
        from ttapi.cli.report import run_init

        run_init(*fresh)
        return
    shell = plain_word(arguments, "sql")
    if shell is not None and sys.stdin.isatty():
        from ttapi.cli.shell.options import DisplayOptions
        from ttapi.cli.shell.start import Start, run_shell

        sys.exit(run_shell(Start(home=shell[0]), DisplayOptions()))
    query = plain_query(arguments)
    if query is not None:
        sys.exit(_run_plain(query))
    from ttapi.cli.app import command

    command()(arguments, prog_name="ttapi")


def _tell(exc: TtapiError) -> None:
    _say(f"ttapi: {exc.message}\n")
    if exc.hint:
        _say(f"       {exc.hint}\n")


def _say(text: str) -> None:
    # What went wrong decides the exit code, whether or not somebody still listens.
    with suppress(BrokenPipeError):
        sys.stderr.write(scrubbed(text))


def _on_terminate(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


_FILE_BYTES = 20_000_000
_FILES = 10


@contextmanager
def run_log(home: Home, command: str) -> Iterator[str]:
    """Log what happens inside the block to `logs/ttapi.log`; yields the run id.

    A home whose log folder cannot be written is logged to nowhere: the command itself will say so.
    """
    run_id = uuid.uuid4().hex[:12]
    root = logging.getLogger("ttapi")
    handler = _handler(home)
    handler.setFormatter(_JsonLines(run_id, command))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    root.propagate = False
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


_OF_A_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""What every record has; all else was given as `extra`."""


class _JsonLines(logging.Formatter):
    """One JSON object a record: what was given with it, who says it and when, without any secret."""

    def __init__(self, run_id: str, command: str) -> None:
        super().__init__()
        self._of_run = {"run_id": run_id, "command": command}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        given = {name: value for name, value in vars(record).items() if name not in _OF_A_RECORD}
        at = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        event = {
            "event": record.getMessage(),
            **self._of_run,
            "level": record.levelname.lower(),
            "logger": record.name,
            **given,
            "ts": at,
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps({k: scrubbed_value(v) for k, v in event.items()}, default=str)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that a full disk leaves as it is: the command itself says what it could not write."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name for it
        """Nothing."""

    def close(self) -> None:
        """Close the file; what a full disk does not take is dropped."""
        with suppress(OSError):
            super().close()


def _handler(home: Home) -> logging.Handler:
    try:
        home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _LogFile(
            home.logs / "ttapi.log", maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8"
        )
    except OSError:
        return logging.NullHandler()
