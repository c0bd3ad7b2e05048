# SPDX-License-Identifier: Apache-2.0
"""Every error ttapi raises on purpose, and the exit code each one ends a command with.

    TtapiError                      1   something asked for could not be done
    ├── UsageError                  2   the command line, a setting, or a folder is wrong
    │   ├── ModelError              2   a SQL model file is wrong (file and line named)
    │   ├── UnknownNameError        2   nothing goes by a name that was given
    │   ├── GenerationError         2   a published generation was asked for that is not held
    │   └── ReadOnlyHomeError       2   the home can be read and not written
    ├── StoreError                  1   the database file is damaged, foreign, or refused
    │   ├── MigrationError          1   a migration was altered, or the file is newer than ttapi
    │   ├── DiskFullError           1   a write was refused by the disk; nothing half-written remains
    │   └── CommitUnknownError      1   a commit failed in a way that leaves its outcome open
    ├── LockedError                 5   another process owns the live file past --wait
    ├── QueryError                  1   the engine refused or failed a query
    │   ├── LicenceError            1   what would be read is licensed to its owner alone
    │   ├── NotLoadedError          1   what a query reads could not be fetched, and was never there
    │   ├── InterruptedQueryError   130 a query was ended by whoever asked it
    │   ├── QueryTimeoutError       1   a query took longer than it may
    │   └── QueryTooBigError        1   a query, or its answer, needs more room than it may have
    ├── BusyError                   1   nobody was free to run a query in time
    ├── SourceError                 1   one unit of a source failed
    │   ├── ResponseError           1   a vendor's answer to one request cannot be used
    │   ├── StreamLostError         1   a stream broke off; another connection may work
    │   └── SourceDownError         3   a source could not be reached, or refused every unit
    │       ├── StreamRefusedError  3   a vendor refused a stream; another token may be taken
    │       └── CredentialError     3   a vendor refused who we are; asking again changes nothing
    ├── StaleError                  4   data is older than allowed
    └── BudgetError                 4   a refresh would exceed its call or time budget

A message says what happened, with what value, and what would have worked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.secret import scrubbed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class TtapiError(Exception):
    """The root: catch it to catch everything ttapi raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(TtapiError):
    """The command line, a setting or a folder is wrong; nothing was changed."""

    exit_code = 2


class ModelError(UsageError):
    """A SQL model file is wrong; `file` and `line` say where."""

    def __init__(self, message: str, *, file: str, line: int = 1, hint: str | None = None) -> None:
        super().__init__(f"{file}:{line}: {message}", hint=hint)
        self.reason = message
        self.file = file
        self.line = line


class UnknownNameError(UsageError):
    """Nothing goes by a name that was given: a relation, a dataset, a row's key."""


class GenerationError(UsageError):
    """A published generation was asked for that is not held: too old, or still to come."""

    def __init__(self, message: str, *, number: int, newest: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.number = number
        self.newest = newest


class ReadOnlyHomeError(UsageError):
    """The home cannot be written by whoever asks; what it holds can be read."""


class StoreError(TtapiError):
    """The database file is damaged, foreign, or was refused."""

    def __init__(self, message: str, *, hint: str | None = None, kind: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        """What is wrong with the file, in a word or two that `ttapi doctor` goes by; '': unsaid."""


class MigrationError(StoreError):
    """An applied migration was altered, or the file comes from a newer ttapi."""


class DiskFullError(StoreError):
    """A write was refused for want of space; what was committed before stands."""


class CommitUnknownError(StoreError):
    """A commit raised although it may be durable: reopen the store, look the load up, then decide."""


@dataclass(frozen=True)
class LockOwner:
    """Who holds the live file."""

    pid: int
    started_at: str
    """ISO instant, UTC."""
    host: str
    command: str = ""


class LockedError(TtapiError):
    """Another process owns the live file; `owner` is None when it could not be read."""

    exit_code = 5

    def __init__(self, message: str, *, owner: LockOwner | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.owner = owner


class QueryError(TtapiError):
    """The engine refused or failed a query."""


class LicenceError(QueryError):
    """What would be read is licensed to its owner alone, and somebody else asks."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is licensed to its owner alone, and this daemon has others who may ask:"
            " [serve] share_personal = true shows it to them"
        )
        self.name = name


class NotLoadedError(QueryError):
    """What a query reads could not be fetched, and was never there."""


class InterruptedQueryError(QueryError):
    """A query was ended by whoever asked it."""

    exit_code = 130


class QueryTimeoutError(QueryError):
    """A query took longer than it may, and was ended."""


class QueryTooBigError(QueryError):
    """A query needed more memory than it may have, or one row of its answer more room."""


class BusyError(TtapiError):
    """Nobody was free to run a query within the time one may wait."""


class SourceError(TtapiError):
    """One unit of a source failed; the others go on. It holds no secret, whoever wrote the text."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(scrubbed(message), hint=hint)


class SourceDownError(SourceError):
    """A source could not be reached, or refused every unit."""

    exit_code = 3


class StreamRefusedError(SourceDownError):
    """A vendor refused the token of a stream, or access to it; another token may be taken, some times in a row."""


class StreamLostError(SourceError):
    """A stream broke off, fell silent or could not begin; another connection may work."""


class ResponseError(SourceError):
    """A vendor answered one request in a way that cannot be used."""

    def __init__(
        self,
        endpoint: str,
        status: int | None,
        reason: str,
        *,
        hint: str | None = None,
        is_unknown: bool = False,
    ) -> None:
        answer = "no answer" if status is None else f"status {status}"
        super().__init__(f"{endpoint}: {answer}: {reason}", hint=hint)
        self.endpoint = endpoint
        self.status = status
        self.reason = reason
        # True: in so many words, there is no such thing.
        self.is_unknown = is_unknown


class CredentialError(SourceDownError):
    """A vendor refused who we are; asking again with the same credentials changes nothing."""


class StaleError(TtapiError):
    """Data is older than the caller allows."""

    exit_code = 4


class BudgetError(TtapiError):
    """A refresh would exceed its budget of calls or seconds."""

    exit_code = 4


def closest(name: str, known: Iterable[str], count: int = 2) -> Sequence[str]:
    """The names most like `name`, best first; empty where none is like it."""
    import difflib  # noqa: PLC0415 - only on the way to an error

    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.6)
    return [by_lower[one] for one in found]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`did you mean eod?`; None where nothing is like `name`."""
    found = closest(name, known)
    return f"did you mean {' or '.join(found)}?" if found else None
