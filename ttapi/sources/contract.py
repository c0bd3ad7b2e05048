# SPDX-License-Identifier: Apache-2.0
"""The plugin contract: what a source declares, and what it yields.

A source is one class. It declares `resources`, lists what exists (`survey`) and yields Arrow
batches for what it is asked (`fetch`). It never sees the store: rows go out in vendor terms,
refused rows beside them with line and reason. A unit (one file, one symbol) is loaded whole or
not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from ttapi.sources.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import pyarrow as pa

ColumnType = Literal[
    "VARCHAR", "DOUBLE", "DECIMAL(20,6)", "DATE", "BIGINT", "INTEGER", "BOOLEAN", "TIMESTAMP"
]
LoadMode = Literal["append", "replace", "merge"]
Storage = Literal["versioned", "log"]
Licence = Literal["personal", "shared"]


@dataclass(frozen=True)
class Column:
    """One declared column of a raw table."""

    name: str
    type: ColumnType
    comment: str
    """Unit, sign and null meaning; becomes the column's COMMENT in the file."""


@dataclass(frozen=True)
class Resource:
    """One thing a source offers, and the raw table it fills."""

    name: str
    """Within the source: `bars`."""
    table: str
    """Raw table without schema: `metastock_bars`; the dataset is `raw.<table>`."""
    about: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    """Columns that say what one fact is; of several rows of one grain the store keeps one current."""
    keys: tuple[str, ...] = ()
    """Columns a query binds to reach a part of the table; slices are values of the first."""
    tracked: str | None = None
    """Column by whose values changes are handed on to what is computed of them; None: the first key."""
    requires: tuple[str, ...] = ()
    """Keys a query must bind, else the default universe stands in. Its units are then values of the
    first key, not a listing: `survey` is not asked, `fetch` gets one request per value and interval."""
    is_bound_only: bool = False
    """True: a query that binds no key is answered by what is held, and nothing is asked for it:
    every key would cost thousands of calls. Whoever names keys, or lists of them, is served."""
    units_a_call: int = 1
    """How many values of the first key one call of the source answers; a budget counts calls."""
    completes: str | None = None
    """Raw table whose facts this one fills up: of a key that it holds, only what lies after its last
    fact, and the sessions it lacks before, is asked; where nobody chose keys, nothing is."""
    time_column: str | None = None
    sessions: str | None = None
    """Market (`XNYS`) outside whose sessions no fact of the time column exists; None: any day."""
    mode: LoadMode = "replace"
    """append: every row is new. replace: a unit's rows are its whole content, the difference to the
    previous content is stored. merge: rows replace those of their grain, others stay."""
    ttl: str = "next close + 45m"
    """A duration (`1d`, `5m`) or market time: 45 minutes after a session's close, when end-of-day
    data is complete, which weekends and holidays do not reach."""
    revise: str | None = None
    """How much of the tail, counted back from the day of asking, is asked again (`5d`); None: that
    day alone."""
    max_stale: str | None = None
    """How far past its TTL data may answer a query at once, the refresh following the answer; None:
    the query waits for the refresh."""
    max_stale_on_error: str = "5 sessions"
    is_local: bool = False
    """True: asking costs a directory listing, which is no source call."""
    is_private: bool = False
    licence: Licence = "personal"
    """shared: whoever may ask may see it, such as a calendar of public rules. personal: for the one who has
    it alone, as terms of vendors say; a daemon that others reach hides it unless it is told not to."""
    is_timeless: bool = False
    """True: when a row was known says nothing (a rule, a setting); as-of queries read all as it is."""
    storage: Storage = "versioned"
    """versioned: facts that are corrected, unit by unit. log: events as they arrive, each of which
    stands; a stream alone fills it, and `survey` and `fetch` are never asked for it. It declares
    `received_at`, and `arrival`, which the store numbers."""
    conflates_by: tuple[str, ...] = ()
    """Of a log whose events say how something stands: columns by whose values a later one takes an
    earlier one's place, so that one an interval may be kept. Empty: every event counts, and none is
    dropped unless it is told."""
    one_of: str | None = None
    """Name shared by resources of which any suffices: a query is told of missing settings only where
    none of them is configured."""

    @property
    def tracked_by(self) -> str | None:
        """The column changes are tracked by; None: they are tracked as a whole."""
        return self.tracked or (self.keys[0] if self.keys else None)


@dataclass(frozen=True)
class Unit:
    """One piece of a resource as it lies outside: a file, a symbol."""

    key: str
    """Stable text: a path relative to the source's root, or a symbol."""
    size: int | None = None
    """Bytes; None where the source has no such thing."""
    mtime_ns: int | None = None


@dataclass(frozen=True)
class UnitRequest:
    """One unit asked for, with what the store already holds of it."""

    unit: Unit
    known_hash: str | None = None
    """Content hash of the version loaded last; equal content may be answered by `is_unchanged`."""
    from_date: date | None = None
    """First date wanted, inclusive; None: from the start."""
    to_date: date | None = None
    """First date not wanted; None: to the end."""


@dataclass(frozen=True)
class UnitReport:
    """What became of one requested unit; rows_in = rows_accepted + rows_refused, always."""

    unit: Unit
    content_hash: str | None = None
    rows_in: int = 0
    rows_accepted: int = 0
    rows_refused: int = 0
    first_date: date | None = None
    last_date: date | None = None
    is_unchanged: bool = False
    """Content equals `known_hash`: no rows follow, the stored ones stand."""
    has_duplicates: bool = True
    """False only when the source proved that no two accepted rows share a grain."""
    error: str | None = None
    """Why the unit failed as a whole; its stored rows stay as they are. No rows follow."""
    is_absent: bool = False
    """Beside an error: the world answered that it has no such unit. It is not asked again before
    the TTL has passed."""
    truncated_before: date | None = None
    """The world holds more of the interval asked, before this date, and did not give it."""
    notes: tuple[str, ...] = ()
    """Oddities a person should hear of; they become rows in `health`."""


@dataclass(frozen=True)
class Batch:
    """Rows of whole units.

    *Shape* `rows`: the declared columns, plus `unit` (int32, index into `units`), `line` (int32,
    1-based line in the file, or null), `known_at` (timestamp[us], UTC, no zone: when the market
    knew the fact; null: when it was loaded). `rejects`: unit int32, line int32, reason utf8,
    text utf8 (the refused line, at most 500 characters).
    """

    units: tuple[UnitReport, ...]
    rows: pa.Table | None = None
    rejects: pa.Table | None = None


@dataclass(frozen=True)
class SourceContext:
    """What the runner hands a source."""

    settings: Mapping[str, str]
    """The source's own settings: `[sources.<name>]`, environment and flags merged, all text."""
    now: datetime
    """Zone-aware UTC: rules staleness and what is 'in the future'."""
    symbols: frozenset[str] | None = None
    """`--symbols` or `--list`, upper case; None: no restriction. Local files may ignore it."""
    home: Path | None = None
    traffic: Traffic = field(default_factory=Traffic)
    """Where the source accounts for its network calls; told in the log and by `ttapi status`."""
    borrowed: Mapping[str, SourceContext] = field(default_factory=dict)
    """Contexts of the sources this one names in `borrows`, whose login it uses."""


@runtime_checkable
class Source(Protocol):
    """What a plugin class provides. It is constructed without arguments."""

    name: str
    about: str
    version: str
    """Part of the fingerprint: a new version makes what it loaded stale (reason `code`)."""
    resources: tuple[Resource, ...]
    setting_names: tuple[str, ...]
    """Fields of `[sources.<name>]` it reads; any other field there is a usage error."""
    sql_folder: Path | None
    """A folder of SQL models the source brings, or None."""
    # What it may offer beside: NarrowingSource, BorrowsSettings, LoginSource below.

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:
        """The setting that must be given before `resource` can be asked for, or None."""
        ...

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:
        """List the units that exist now, in the order they should be loaded.

        *Raises* UsageError for a missing or unreadable folder, SourceDownError when the
        source cannot be reached.
        """
        ...

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """Yield batches until every request has had exactly one report."""
        ...


@runtime_checkable
class NarrowingSource(Protocol):
    """What a listing source may add: telling which units cannot matter to some keys."""

    def units_holding(
        self,
        resource: Resource,
        units: Sequence[Unit],
        values: frozenset[str],
        context: SourceContext,
    ) -> Sequence[Unit]:
        """Those of `units` that may hold a row whose first key is in `values`: all when unsure."""
        ...


@runtime_checkable
class BorrowsSettings(Protocol):
    """What a source may add that uses the login of others."""

    borrows: tuple[str, ...]
    """Names of the sources whose settings it is handed, in `SourceContext.borrowed`."""


@runtime_checkable
class LoginSource(Protocol):
    """What a source may add to take part in `ttapi login`."""

    secret_names: tuple[str, ...]
    """Those of `setting_names` that are secret, in the order they are asked for."""

    def prove_login(self, context: SourceContext) -> str:
        """What the vendor says to the credentials among `context.settings`, in words.

        *Raises* CredentialError where it refuses them, SourceDownError.
        """
        ...


@dataclass(frozen=True)
class StreamRequest:
    """Events wanted of one log resource."""

    resource: Resource
    symbols: tuple[str, ...]
    since: datetime | None = None
    """Zone-aware UTC: what happened from then on is sent first, where the vendor keeps it; None: from now on."""


@dataclass(frozen=True)
class StreamBatch:
    """Events of one resource in the order they arrived.

    *Shape* `rows`: the declared columns but `arrival`; `received_at` is timestamp[us], UTC, no zone.
    """

    resource: Resource
    rows: pa.RecordBatch
    refused: int = 0
    """Events before or between these that could not be read."""


@dataclass(frozen=True)
class StreamReady:
    """The vendor has taken the login and the subscriptions: from here on events count as asked for."""


@dataclass(frozen=True)
class StreamNotice:
    """What the vendor complains of, such as a symbol it does not have; the stream goes on."""

    text: str


@runtime_checkable
class StreamSource(Protocol):
    """What a source adds that has log resources."""

    def stream(
        self,
        requests: Sequence[StreamRequest],
        context: SourceContext,
        now: Callable[[], datetime],
    ) -> AsyncGenerator[StreamBatch | StreamReady | StreamNotice]:
        """Batches over one connection, until it is lost; whoever asks makes the next one.

        `now` stamps arrivals. *Raises* StreamLostError or SourceDownError when another connection may
        work, StreamRefusedError when the vendor refused this one (three in a row are the last),
        CredentialError when it refuses who we are, UsageError for a wrong setting.
        """
        ...
