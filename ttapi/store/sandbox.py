# SPDX-License-Identifier: Apache-2.0
"""SQL of people who are not trusted, each query in a process of its own, on what is published.

A zygote (`store/sandbox_worker.py`) forks workers that have opened the published file before anybody
asks; each answers one query and is killed, so nothing of one meets another. What takes too long is killed
here, whatever the engine thinks of its own limits. Threads may share it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ttapi.errors import (
    BusyError,
    QueryError,
    QueryTimeoutError,
    QueryTooBigError,
    StoreError,
    TtapiError,
    UsageError,
)
from ttapi.store.reader import published_file
from ttapi.store.rows import ResultColumn, Rows, ValueType
from ttapi.store.sandbox_protocol import (
    HEAD_BYTES,
    START_S,
    SandboxLimits,
    Zygote,
    has_left,
    receive,
    request_of,
    send,
)
from ttapi.store.shared_database import SharedSnapshots
from ttapi.store.statements import places_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from ttapi.home import Home

_WARM_S = 60.0
"""Without a question, after which no spare follows what is published: a stream publishes every two seconds."""
_LOOK_S = 1.0
"""How often it looks what is published: a spare that has an older file open keeps others from writing it."""


@dataclass(frozen=True)
class SandboxAnswer:
    """The rows of one query."""

    arrow: bytes
    """An Arrow IPC stream; what Arrow cannot carry is its text."""
    row_count: int
    is_truncated: bool
    """Whether there are more rows than the limits let through."""
    generation: int
    """Of the publication that was read."""
    seconds: float
    """Of the query itself."""
    columns: tuple[ResultColumn, ...] = ()
    instants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By column name, lower case, the relations in which the file declares it as an instant."""

    def table(self) -> pa.Table:
        """The rows, looked through: whoever made them is not trusted."""
        import pyarrow as pa  # noqa: PLC0415 - who passes the bytes on needs none

        table = pa.ipc.open_stream(self.arrow).read_all()
        table.validate()
        for column in table.columns:
            for chunk in column.chunks:
                chunk.view(_as_bytes_lie(chunk.type)).validate(full=True)
        return table

    def rows(self, instants: frozenset[str] = frozenset()) -> Rows:
        """The rows as every output of ttapi writes them; of a cut answer the total is one more.

        `instants`: columns that the query passes on from a declared instant.
        """
        rows = Rows(self.table(), self.row_count + self.is_truncated, self.columns)
        return rows.with_instants(instants)


class _Worker:
    """One forked process and the line to it."""

    def __init__(self, pid: int, line: socket.socket, file: Path) -> None:
        self.pid, self.line, self.file = pid, line, file
        self.generation = 0


class Sandbox:
    """Answers SELECTs of anybody on the newest published generation; holds nothing of them."""

    def __init__(
        self,
        home: Home,
        limits: SandboxLimits | None = None,
        *,
        is_private_hidden: bool = False,
        hidden: Callable[[], Collection[str]] = frozenset,
        slots: int = 2,
        spares: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`slots`: queries at a time; `spares`: workers that wait for one, while there are questions by `clock`.

        `is_private_hidden`: workers open a copy in which nothing private is, and nothing that is `hidden`.
        """
        self.limits = limits or SandboxLimits()
        self._home = home
        self._copies = SharedSnapshots(home, hidden) if is_private_hidden else None
        self._slots = threading.BoundedSemaphore(slots)
        self._wanted, self._spares = spares, list[_Worker]()
        self._zygote: Zygote | None = None
        self._clock = clock
        self._asked_at = clock()
        self._lock = threading.RLock()
        self._woken, self._is_closed = threading.Event(), False
        self._keeper = threading.Thread(target=self._keep, name="ttapi-sandbox", daemon=True)
        self._hidden = places_of(home)

    def start(self) -> None:
        """Nothing; the spares open the file meanwhile. A query starts what was not started."""
        with self._lock:
            if self._is_closed:
                raise UsageError("this sandbox was closed", hint="open another")
            if not self._keeper.is_alive():
                self._keeper.start()

    def check(self, sql: str) -> None:
        """Nothing, or QueryError for what `run` would refuse to run; names are not looked up."""
        self._asked(sql, (), self.limits, is_check=True)

    def run(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        limits: SandboxLimits | None = None,
    ) -> SandboxAnswer:
        """The answer of one SELECT; parameters are JSON values, bound.

        `limits`: tighter ones; those of memory and threads are the sandbox's.

        *Raises* QueryError for what is no SELECT or is refused, with the engine's text without paths;
        QueryTimeoutError, QueryTooBigError; BusyError where no worker gets free; UsageError where
        nothing is published.
        """
        return self._asked(sql, parameters, limits or self.limits, is_check=False)

    def _asked(
        self, sql: str, parameters: Any, limits: SandboxLimits, *, is_check: bool
    ) -> SandboxAnswer:
        self._asked_at = self._clock()
        request = request_of(sql, parameters, limits, is_check=is_check)
        if not self._slots.acquire(timeout=limits.wait_s):
            raise BusyError(
                f"every worker was taken for {limits.wait_s:g} s", hint="ask again later"
            )
        try:
            self.start()
            worker = self._ready()
            try:
                return self._answer(worker, request, limits)
            finally:
                self._end(worker)
        finally:
            self._slots.release()
            self._woken.set()

    def follow(self) -> None:
        """Nothing; spares that opened an older generation are replaced, and there are as many as wanted."""
        file = self._file()
        with self._lock:
            if self._is_closed:
                return
            for worker in [one for one in self._spares if one.file != file]:
                self._spares.remove(worker)
                self._end(worker)
            while len(self._spares) < self._wanted:
                self._spares.append(self._forked(file))

    def rest(self) -> None:
        """Nothing; no spare is there, and none holds a file open, until somebody asks."""
        with self._lock:
            while self._spares:
                self._end(self._spares.pop())

    def without_paths(self, text: str) -> str:
        """`text` without the places where this machine keeps anything of ours."""
        return self._hidden.sub("<file>", text)

    def close(self) -> None:
        """Nothing; every process of it is gone, and what runs ends with an error."""
        self._is_closed = True
        self._woken.set()
        self._let_go()
        if self._keeper.is_alive() and self._keeper is not threading.current_thread():
            self._keeper.join()
        if self._copies is not None:
            self._copies.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self) -> None:
        """Keep the spares until this is closed."""
        while not self._is_closed:
            # What is wrong with the home is told to whoever asks.
            with suppress(TtapiError, OSError):
                if self._clock() - self._asked_at < _WARM_S:
                    self.follow()
                else:
                    self.rest()
            self._woken.wait(_LOOK_S)
            self._woken.clear()

    def _file(self) -> Path:
        """What a worker is to open now."""
        published = published_file(self._home)
        return published if self._copies is None else self._copies.of(published)

    def _ready(self) -> _Worker:
        """A worker that has opened the newest generation, waited for. *Raises* StoreError."""
        file = self._file()
        with self._lock:
            spare = next((one for one in self._spares if one.file == file), None)
            if spare is not None:
                self._spares.remove(spare)
        for worker, is_last in ((spare, False), (None, True)):
            made = worker or self._forked(self._file())
            try:
                made.generation = self._opened_generation(made)
            except (OSError, StoreError):
                self._end(made)
                # A spare may have died while it waited; a copy that nobody had open may be gone.
                if is_last:
                    raise
            else:
                return made
        raise AssertionError

    def _forked(self, file: Path) -> _Worker:
        """A worker that opens `file`; the zygote is started where there is none. *Raises* StoreError."""
        limits = self.limits
        order = {
            "file": str(file),
            "memory_mib": limits.memory_mib,
            "room_mib": 2 * limits.memory_mib,
            "threads": limits.threads,
            "timeout_ms": max(1, round(limits.timeout_s * 1000)),
        }
        with self._lock:
            try:
                return self._ordered(order, file)
            except OSError:
                # The zygote has died: so did its workers.
                self._let_go()
            try:
                return self._ordered(order, file)
            except OSError as exc:
                raise StoreError(f"no process can be started for SQL: {exc}") from exc

    def _ordered(self, order: Mapping[str, object], file: Path) -> _Worker:
        if self._is_closed:
            raise UsageError("this sandbox was closed", hint="open another")
        if self._zygote is None:
            self._zygote = Zygote()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                return _Worker(self._zygote.fork(order, theirs), ours, file)
            except OSError:
                ours.close()
                raise

    def _let_go(self) -> None:
        """Nothing; the zygote is gone, and the spares are forgotten."""
        with self._lock:
            zygote, self._zygote = self._zygote, None
            for worker in self._spares:
                worker.line.close()
            self._spares.clear()
        if zygote is not None:
            zygote.close()

    def _end(self, worker: _Worker) -> None:
        worker.line.close()
        zygote = self._zygote
        if zygote is not None:
            with suppress(OSError):
                zygote.end(worker.pid)

    def _answer(
        self, worker: _Worker, request: Mapping[str, Any], limits: SandboxLimits
    ) -> SandboxAnswer:
        """What `worker` says to `request`; whatever it says is taken for no more than that."""
        try:
            deadline = time.monotonic() + limits.timeout_s + limits.grace_s
            # What it said before it ended, if anything, is read below.
            with suppress(ConnectionError):
                send(worker.line, request)
            # Beside its rows an Arrow stream has a schema and an end.
            answer, body = receive(worker.line, deadline, limits.max_bytes + HEAD_BYTES)
            if answer is None:
                raise QueryError(
                    "the query ended its process",
                    hint="it needs more memory, or is nested deeper, than a query may be",
                )
            if "failed" in answer:
                raise self._error(answer, limits)
            return _read(answer, body, worker.generation)
        except TimeoutError as exc:
            raise _timeout(limits) from exc
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise StoreError(f"a worker for SQL cannot be understood: {exc}") from exc

    def _opened_generation(self, worker: _Worker) -> int:
        """The generation that `worker` has opened, waited for. *Raises* StoreError where it could not."""
        found, _ = receive(worker.line, time.monotonic() + START_S)
        if found is None or "error" in found:
            why = "it ended" if found is None else self.without_paths(str(found["error"]))
            raise StoreError(f"a worker for SQL could not open {worker.file.name}: {why}")
        if has_left(worker.line):
            raise StoreError(f"a worker for SQL that had opened {worker.file.name} ended")
        return int(found["generation"])

    def _error(self, answer: Mapping[str, Any], limits: SandboxLimits) -> QueryError:
        """The error that `answer` tells of, without paths."""
        kind, text = answer["failed"], self.without_paths(str(answer.get("message")))
        if kind == "time":
            return _timeout(limits)
        if kind == "memory":
            return QueryTooBigError(
                f"the query needs more than the {limits.memory_mib} MiB of memory it may have",
                hint="fewer rows or groups at a time need less",
            )
        if kind == "size":
            return QueryTooBigError(text, hint="read fewer columns, or shorter values")
        hint = answer.get("hint")
        return QueryError(text, hint=None if hint is None else self.without_paths(hint))


def _timeout(limits: SandboxLimits) -> QueryTimeoutError:
    return QueryTimeoutError(
        f"the query took longer than the {limits.timeout_s:g} s it may",
        hint="a condition on symbol and date reads less",
    )


def _read(answer: Mapping[str, Any], body: bytes, generation: int) -> SandboxAnswer:
    columns = tuple(ResultColumn(str(name), _value_type(kind)) for name, kind in answer["columns"])
    return SandboxAnswer(
        body, int(answer["rows"]), bool(answer["is_truncated"]), generation,
        float(answer["seconds"]), columns, dict(answer["instants"]),
    )  # fmt: skip


def _as_bytes_lie(kind: pa.DataType) -> pa.DataType:
    """`kind` without what Arrow demands of a value and the engine does not.

    Its largest HUGEINT has a digit more than Arrow counts in a decimal, and its day ends at 24:00:00.
    """
    import pyarrow as pa  # noqa: PLC0415 - who passes the bytes on needs none

    if isinstance(kind, pa.BaseExtensionType):
        return _as_bytes_lie(kind.storage_type)
    if pa.types.is_decimal(kind):
        return pa.binary(kind.bit_width // 8)
    if pa.types.is_time64(kind):
        return pa.int64()
    if pa.types.is_map(kind):
        return pa.map_(_as_bytes_lie(kind.key_type), _as_bytes_lie(kind.item_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_as_bytes_lie(kind.value_type)), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_as_bytes_lie(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_as_bytes_lie(field.type)) for field in kind])
    return kind


def _value_type(document: Sequence[Any]) -> ValueType:
    text, kind, parts = document
    return ValueType(str(text), str(kind), tuple((str(n), _value_type(part)) for n, part in parts))
