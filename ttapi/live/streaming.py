# SPDX-License-Identifier: Apache-2.0
"""Streams recorded into a home: who is asked for what, and the run from the first event to the last."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.clock import SystemClock, clock_from
from ttapi.errors import LockedError, UsageError, did_you_mean
from ttapi.live.feed import Feed
from ttapi.live.journal_lock import own_journal
from ttapi.live.recorded_file import RecordedFile
from ttapi.live.recorder import Recorder, RecorderCounts, RecorderTiming
from ttapi.market.dxfeed import require_symbol
from ttapi.refresh.environment import environment_of
from ttapi.refresh.home_state import read_home_state
from ttapi.refresh.installation import load_installation
from ttapi.refresh.runner import install
from ttapi.sources.contract import StreamRequest, StreamSource
from ttapi.store.files import note_document
from ttapi.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ttapi.clock import Clock
    from ttapi.home import Home
    from ttapi.live.feed import FeedState
    from ttapi.live.hub import Hub
    from ttapi.live.journal_lock import JournalLock
    from ttapi.refresh.environment import Environment
    from ttapi.sources.contract import Resource, StreamBatch
    from ttapi.store.lock import OnWait
    from ttapi.store.store import Store


_LET_GO_S = 0.3
"""How long a recorder stays away from the lock that somebody waits for, who looks every 0.05 s."""
_SHOWN = 5
"""Symbols of a recorder that are named."""
_LOOK_S = 1.0
"""How long it waits for the other before it looks whether it shall end; the journal keeps what arrives."""


@dataclass(frozen=True)
class RecordRequest:
    """What to record, and for how long."""

    symbols: tuple[str, ...]
    """Upper case."""
    resources: tuple[str, ...] = ()
    """Names of log resources (`quotes`); empty: all of every configured source."""
    for_s: float | None = None
    """Seconds after which to stop; None: until told to."""
    limit: int | None = None
    """Events after which to stop; None: no end."""
    wait_s: float = 60.0
    """For the journal, then for the live file."""
    silent_s: float = 30.0
    """Seconds of a connection after which it is told of which symbols nothing has come."""
    command: str = "ttapi stream"

    @property
    def text(self) -> str:
        """The command with its symbols, as others are told who records."""
        shown = " ".join(self.symbols[:_SHOWN])
        more = f" and {len(self.symbols) - _SHOWN} more" if len(self.symbols) > _SHOWN else ""
        return f"{self.command} {shown}{more}"


@dataclass(frozen=True)
class RecordOutcome:
    """What was recorded."""

    load_id: int
    generation: int
    replayed: int
    """Events that an earlier run had written down and not stored."""
    counts: Mapping[str, int]
    sources: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    forgotten: Mapping[str, int] = field(default_factory=dict)
    """Rows removed, the oldest first, to keep `[stream] keep_days` and `keep_gb`, by dataset."""
    silent: Sequence[str] = ()
    """Symbols of which nothing came."""


def record(
    environment: Environment,
    request: RecordRequest,
    *,
    environ: Mapping[str, str],
    on_wait: OnWait = None,
    on_published: Callable[[RecorderCounts, int], None] | None = None,
    hub: Hub | None = None,
    on_begun: Callable[[Callable[[], object]], None] | None = None,
    on_silent: Callable[[Sequence[str]], None] | None = None,
    publishing: Callable[[], AbstractContextManager[object]] = nullcontext,
    run_to_end: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
) -> RecordOutcome:
    """Record until interrupted, or for as long as asked, and publish all of it.

    `on_published` is told the counts and the generation; `hub` is fed with every event; `on_begun` is given
    what ends the recording, for any thread to call; `on_silent` is told once of which symbols nothing has
    come; `publishing` stands around each publication; `run_to_end` runs what is asynchronous of it.
    *Raises* UsageError where no source streams what is asked, LockedError past `wait_s` while another
    recorder has the journal or another command the file, SourceDownError when a vendor refuses for good.
    """
    chosen = _chosen(environment, request)
    clock = clock_from(environ)
    file = _LiveFile(environment.home, environ, clock, request)
    owning = own_journal(
        environment.home, command=request.text, wait_s=request.wait_s, on_wait=on_wait
    )
    with owning as owned, closing(file.recording(on_wait)) as recording:
        journal = recording.open_journal(owned.unfinished_since, publishing)
        run = _Run(environment, recording, clock, on_published, owned)
        run.silent = _SilentSymbols(request, hub, on_silent)
        recorder = Recorder(
            recording,
            journal,
            limit=request.limit,
            timing=RecorderTiming(interval_s=environment.settings.stream_interval),
            on_published=run.published,
            on_events=run.silent.put,
        )
        run_to_end(run.until_stopped(recorder, chosen, request.for_s, on_begun))
        owned.end_whole()
        return RecordOutcome(
            recording.load_id,
            recording.generation,
            recording.replayed,
            asdict(recorder.counts),
            [run.feed_entry(feed) for feed in run.feeds],
            dict(recording.forgotten),
            run.silent.symbols(),
        )


@dataclass(frozen=True)
class _LiveFile:
    """The live file of a home, opened and, when it was let go of, opened again."""

    home: Home
    environ: Mapping[str, str]
    clock: Clock
    request: RecordRequest

    def recording(self, on_wait: OnWait) -> RecordedFile:
        """The file to record into. *Raises* as `open`."""
        return RecordedFile(*self.open(self.request.wait_s, on_wait), self.clock, self.reopen)

    def open(self, wait_s: float, on_wait: OnWait = None) -> tuple[Store, Environment]:
        """The file, owned and installed; settings and models as they are now. *Raises* as `open_store`."""
        environment = environment_of(load_installation(self.home, self.environ), self.clock)
        store = open_store(
            self.home,
            command=self.request.command,
            wait_s=wait_s,
            on_wait=on_wait,
            now=environment.now,
            memory_limit=environment.settings.memory_limit,
        )
        try:
            # Whoever held the lock before may have left another state.
            environment = environment.after(read_home_state(self.home))
            environment, _ = install(store, environment)
            store.use_one_thread()
        except BaseException:
            store.close()
            raise
        return store, environment

    def reopen(self, is_stopping: Callable[[], bool]) -> tuple[Store, Environment]:
        """The file once another command is done with it. *Raises* LockedError where `is_stopping` first."""
        time.sleep(_LET_GO_S)
        while True:
            try:
                return self.open(_LOOK_S)
            except LockedError as exc:
                if is_stopping():
                    exc.hint = "what has arrived is in the journal: the next ttapi stream stores it"
                    raise


def check_stream(environment: Environment, request: RecordRequest) -> None:
    """Nothing, where `record` could begin. *Raises* UsageError as it does."""
    _chosen(environment, request)


def streamable(environment: Environment) -> dict[str, list[Resource]]:
    """By source that can stream, the logs it fills."""
    found: dict[str, list[Resource]] = {}
    for offer in environment.resources.values():
        if offer.resource.storage == "log" and isinstance(offer.source, StreamSource):
            found.setdefault(offer.source.name, []).append(offer.resource)
    return found


def _chosen(environment: Environment, request: RecordRequest) -> dict[str, list[StreamRequest]]:
    """The requests by source. *Raises* UsageError for an unknown name, or where nothing is configured."""
    if not request.symbols:
        raise UsageError("no symbol is named", hint="ttapi stream SPY AAPL, or --list NAME")
    for symbol in request.symbols:
        require_symbol(symbol)
    offered = streamable(environment)
    names = {one.name for resources in offered.values() for one in resources}
    for name in request.resources:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise UsageError(
                f"nothing called {name!r} can be streamed",
                hint=did_you_mean(name, names) or f"known: {known}",
            )
    chosen: dict[str, list[StreamRequest]] = {}
    lacking: list[str] = []
    for source, resources in sorted(offered.items()):
        for one in resources:
            missing = environment.datasets[f"raw.{one.table}"].missing_setting
            if missing:
                lacking.append(f"[sources.{source}] {missing}")
            elif not request.resources or one.name in request.resources:
                chosen.setdefault(source, []).append(StreamRequest(one, request.symbols))
    if not chosen:
        why = f"{lacking[0]} is not set" if lacking else "no source is installed that streams"
        raise UsageError(f"nothing can be streamed: {why}", hint="ttapi login, or ttapi.toml")
    return chosen


class _SilentSymbols:
    """Of which symbols nothing has come yet: a vendor says nothing of a name that it does not know."""

    def __init__(
        self,
        request: RecordRequest,
        hub: Hub | None,
        on_silent: Callable[[Sequence[str]], None] | None,
    ) -> None:
        self._left, self._hub, self._on_silent = set(request.symbols), hub, on_silent
        self.after_s = request.silent_s
        self.is_announced = False

    def put(self, batch: StreamBatch) -> None:
        """Take note of whose events these are, and send them on."""
        if self._left and "symbol" in batch.rows.schema.names:
            # Another set each time: the thread that publishes may look.
            self._left = self._left - set(batch.rows["symbol"].unique().to_pylist())
        if self._hub is not None:
            self._hub.put(batch)

    def symbols(self) -> tuple[str, ...]:
        """Which they are, sorted."""
        return tuple(sorted(self._left))

    def tell(self) -> None:
        """Say so, where there are some."""
        self.is_announced = True
        if self._left and self._on_silent:
            self._on_silent(self.symbols())


class _Run:
    """One command: its feeds, and what is told of them."""

    def __init__(
        self,
        environment: Environment,
        recording: RecordedFile,
        clock: Clock,
        on_published: Callable[[RecorderCounts, int], None] | None,
        owned: JournalLock,
    ) -> None:
        self._owned = owned
        self._environment, self._recording = environment, recording
        self._clock, self._on_published = clock, on_published
        self._began = SystemClock().now()
        self._resume = recording.resume_point()
        self.feeds: list[Feed] = []
        self.silent = _SilentSymbols(RecordRequest(()), None, None)
        self._left: dict[str, Any] = {}
        self._leaving = threading.Lock()

    async def until_stopped(
        self,
        recorder: Recorder,
        chosen: Mapping[str, Sequence[StreamRequest]],
        for_s: float | None,
        on_begun: Callable[[Callable[[], object]], None] | None,
    ) -> None:
        """Record until a signal comes or the time is over."""
        loop = asyncio.get_running_loop()
        if on_begun is None:
            for number in (signal.SIGINT, signal.SIGTERM):
                # A thread of a program has no say in signals.
                with suppress(ValueError, RuntimeError):
                    loop.add_signal_handler(number, recorder.stop)
        else:  # whoever runs it ends it, and hears of signals itself
            on_begun(lambda: loop.call_soon_threadsafe(recorder.stop))
        accounts = self._recording.accounts = self._environment.accounts()
        for name, requests in chosen.items():
            source = self._environment.resources[f"raw.{requests[0].resource.table}"].source
            assert isinstance(source, StreamSource), name
            context = self._environment.context(source, accounts)
            now, resume = self._clock.now, self._resume
            feed = Feed(source, requests, context, now, resume=resume, on_change=self._changed)
            self.feeds.append(feed)
        timer = loop.call_later(for_s, recorder.stop) if for_s is not None else None
        self._looking = loop.call_later(self.silent.after_s, self._look_for_silence, loop)
        try:
            await recorder.run(self.feeds)
        finally:
            self._looking.cancel()
            if timer is not None:
                timer.cancel()

    def _look_for_silence(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell of which symbols nothing has come, once the vendor has been reached for that long."""
        if not all(one.state.connections for one in self.feeds):
            self._looking = loop.call_later(self.silent.after_s, self._look_for_silence, loop)
            return
        self.silent.tell()
        self._leave()

    def _changed(self, state: FeedState) -> None:
        if state.phase == "streaming":
            self._owned.begin(self._clock.now())

    def published(self, counts: RecorderCounts) -> None:
        """Leave the state of the stream for `ttapi status`, and tell whoever watches."""
        generation = self._recording.generation
        self._left = {
            "published_at": SystemClock().now().isoformat(),
            "generation": generation,
            "counts": asdict(counts),
        }
        self._leave()
        if self._on_published:
            self._on_published(counts, generation)

    def _leave(self) -> None:
        """Have the document say how the feeds stand, and what was published last."""
        document = self._left | {
            "pid": os.getpid(),
            "began_at": self._began.isoformat(),
            "sources": [self.feed_entry(feed) for feed in self.feeds],
            "silent": list(self.silent.symbols()) if self.silent.is_announced else [],
        }
        # The thread that publishes leaves it, and the loop.
        with self._leaving:
            note_document(self._environment.home.stream_file, document)

    @staticmethod
    def feed_entry(feed: Feed) -> dict[str, Any]:
        """The feed's state as a document."""
        entry = asdict(feed.state)
        return entry | {"since": entry["since"].isoformat() if entry["since"] else None}
