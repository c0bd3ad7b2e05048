# SPDX-License-Identifier: Apache-2.0
"""The processes in which SQL of people who are not trusted runs: a zygote, and workers forked of it.

`python -P -c ... ttapi.store.sandbox_worker DESCRIPTOR`. The zygote has loaded what a worker needs and never
opens a database, so that a fork has no thread of the engine. A worker opens the published file, gives
up what it does not need any more, says that it is ready, answers one request and ends. From then on
the system itself refuses it every file and every connection (no descriptor is left to open one), every
written byte, and more than its share of memory and processor time.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.ipc  # before any fork: a worker opens no file, and so imports nothing

from ttapi.errors import QueryError, StoreError
from ttapi.sqltext import literal
from ttapi.store.engine import connect_memory, engine_errors, read_number
from ttapi.store.file_copy import die_with_parent
from ttapi.store.rows import columns_of, with_arrow_types
from ttapi.store.sandbox_protocol import LENGTH, ORDER_BYTES, receive, send
from ttapi.store.statements import require_harmless

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.store.engine import Connection
    from ttapi.store.rows import ResultColumn

_REAP_S = 0.2
_BATCH = 1_000
"""Rows looked at together before they are sent."""
_OUT_OF_TIME = "maximum execution time"


def _profile(order: Mapping[str, Any]) -> list[tuple[str, str, object]]:
    """Each setting, the value it is given as SQL, and what it then reads as; the order matters.

    What an engine does not know is passed over: 1.5 has no time limit, 2.0 no object cache.
    """
    memory = int(order["memory_mib"])
    off = [
        "autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions",
        "allow_unsigned_extensions", "allow_persistent_secrets", "allow_unredacted_secrets",
        "python_enable_replacements", "enable_external_file_cache",
    ]  # fmt: skip
    nowhere = [(name, "''", "") for name in ("temp_directory", "home_directory")]
    return [
        *((name, "false", False) for name in off),
        ("custom_extension_repository", "''", ""),
        ("autoinstall_extension_repository", "''", ""),
        ("extension_directory", "'/nowhere'", "/nowhere"),
        ("secret_directory", "'/nowhere'", "/nowhere"),
        *nowhere,
        ("allowed_directories", "[]", []),
        ("allowed_configs", "[]", []),
        ("threads", str(order["threads"]), int(order["threads"])),
        ("memory_limit", f"'{memory}MiB'", _mib_text(memory)),
        ("max_temp_directory_size", "'0B'", "0 bytes"),
        ("max_execution_time", str(order["timeout_ms"]), int(order["timeout_ms"])),
        ("max_expression_depth", "250", 250),
        ("enable_external_access", "false", False),
        ("lock_configuration", "true", True),
    ]


def _mib_text(memory: int) -> str:
    """As the engine writes a number of MiB."""
    return f"{memory / 1024:.1f} GiB" if memory >= 1024 else f"{memory:.1f} MiB"


REQUIRED = frozenset({
    "autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions",
    "allow_unsigned_extensions", "allow_unredacted_secrets", "allowed_directories", "memory_limit",
    "python_enable_replacements", "temp_directory", "threads", "enable_external_access",
    "lock_configuration",
})  # fmt: skip
"""Settings without which nothing is answered, whatever the engine."""


def serve(control: socket.socket) -> None:
    """Nothing; workers were forked and ended as `control` asked, and all are dead when it closed."""
    children: set[int] = set()
    gc.freeze()
    with suppress(ConnectionError):
        while True:
            ready, _, _ = select.select([control], [], [], _REAP_S if children else None)
            _reap(children)
            if not ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(control, ORDER_BYTES, 1)
            if not message:
                break
            order = json.loads(message)
            pid = 0
            if "end" in order:
                _end(children & {order["end"]})
            elif descriptors:
                pid = _fork(control, descriptors[0], order)
                children.add(pid)
            control.sendall(LENGTH.pack(pid))
    _end(children)


def _fork(control: socket.socket, descriptor: int, order: Mapping[str, Any]) -> int:
    zygote = os.getpid()
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    code = 1
    try:
        die_with_parent(zygote)
        control.close()
        with socket.socket(fileno=descriptor) as line:
            _work(line, order)
        code = 0
    finally:
        os._exit(code)


def _end(pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)  # nobody else has its number: it was not waited for


def _reap(children: set[int]) -> None:
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            children.discard(pid)


def _work(line: socket.socket, order: Mapping[str, Any]) -> None:
    """Open, confine, say so, answer one request."""
    try:
        connection = opened(order)
        generation = read_number(connection, "generation")
        confine(int(order["room_mib"]))
    except Exception as exc:  # noqa: BLE001 - whoever waits for it is told, whatever it was
        send(line, {"error": str(exc)})
        return
    send(line, {"generation": generation})
    request, _ = receive(line)
    if request is None:
        return
    try:
        answer, body = _answer(connection, request)
    except Exception as exc:  # noqa: BLE001 - a defect is told, too; its text is scrubbed by the parent
        answer, body = _failure(exc), b""
    send(line, answer, body)


def opened(order: Mapping[str, Any]) -> Connection:
    """A connection to the file of `order`, read-only, under the locked profile.

    *Raises* StoreError where a setting does not read as it was set.
    """
    connection = connect_memory()
    file = str(order["file"])
    with engine_errors():
        connection.execute(f"attach {literal(file)} as market (read_only)")
        connection.execute("use market.main")
        known = [one for one in _profile(order) if _was_set(connection, *one[:2])]
        read = ", ".join(f"current_setting('{name}')" for name, _, _ in known)
        (found,) = connection.execute(f"select {read}").fetchall()
    for (name, _, expected), value in zip(known, found, strict=True):
        if value != expected:
            raise StoreError(f"setting {name} reads {value!r}, not {expected!r}")
    return connection


def _was_set(connection: Connection, name: str, value: str) -> bool:
    """Whether the engine knows the setting, which it then has; one that is required it must know."""
    try:
        connection.execute(f"set global {name} = {value}")
    except duckdb.CatalogException:
        if name in REQUIRED:
            raise
        return False
    return True


def confine(room_mib: int) -> None:
    """Nothing; this process opens no file and no connection from here on, and has `room_mib` more memory.

    Files that are open stay so. On Linux it is the first to go when the system has no memory left.
    """
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 - a file of the kernel's
            score.write("1000")
        with open("/proc/self/statm") as pages:  # noqa: PTH123 - so is this
            taken = int(pages.read().split()[0]) * resource.getpagesize()
        room = taken + room_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for number in (0, 1, 2):
        os.dup2(_NULL, number)
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE):
        resource.setrlimit(kind, (0, 0))


def _answer(connection: Connection, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    sql, parameters = request["sql"], request["parameters"]
    seconds = int(request["processor_s"]) + int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    require_harmless(connection, sql)
    if request["is_check"]:
        return {
            "rows": 0,
            "is_truncated": False,
            "columns": [],
            "instants": {},
            "seconds": 0.0,
        }, b""
    started = time.monotonic()
    with engine_errors():
        relation = connection.sql(sql, params=parameters or None)
        if relation is None:
            raise QueryError("the statement gives no rows")
        columns = columns_of(relation)
        given = with_arrow_types(relation, columns)
        body, rows, is_truncated = _written(given, columns, request)
        taken = time.monotonic() - started
        instants = _instants(connection, columns)
    about = [[column.name, _type_document(column.type)] for column in columns]
    answer = {"rows": rows, "is_truncated": is_truncated, "columns": about, "instants": instants}
    return {**answer, "seconds": taken}, body


def _written(
    given: duckdb.DuckDBPyRelation, columns: tuple[ResultColumn, ...], request: Mapping[str, Any]
) -> tuple[bytes, int, bool]:
    """The first rows as an Arrow stream, within both limits, how many, and whether there are more."""
    most_rows, most_bytes = int(request["max_rows"]), int(request["max_bytes"])
    sink, rows, taken, is_truncated = pa.BufferOutputStream(), 0, 0, False
    with given.to_arrow_reader(_BATCH) as reader:
        fields = zip(reader.schema, columns, strict=True)
        schema = pa.schema([field.with_name(column.name) for field, column in fields])
        with pa.ipc.new_stream(sink, schema) as writer:
            for found in reader:
                batch = pa.RecordBatch.from_arrays(found.columns, schema=schema)
                kept = _fitting(batch.slice(0, most_rows - rows), most_bytes - taken)
                is_truncated = kept.num_rows < batch.num_rows
                if kept.num_rows:
                    writer.write_batch(kept)
                    rows, taken = rows + kept.num_rows, taken + pa.ipc.get_record_batch_size(kept)
                elif is_truncated and most_rows and not rows:
                    size = pa.ipc.get_record_batch_size(batch.slice(0, 1))
                    raise _TooBigError(
                        f"one row takes {size:,} bytes of the {most_bytes:,} allowed"
                    )
                if is_truncated:
                    break
    return sink.getvalue().to_pybytes(), rows, is_truncated


def _fitting(batch: pa.RecordBatch, room: int) -> pa.RecordBatch:
    """The first rows of `batch` that take no more than `room` bytes."""
    while batch.num_rows and pa.ipc.get_record_batch_size(batch) > room:
        batch = batch.slice(0, batch.num_rows // 2)
    return batch


def _instants(connection: Connection, columns: tuple[ResultColumn, ...]) -> dict[str, list[str]]:
    """By column name, lower case, the relations that declare it as an instant: their comment says UTC."""
    names = [column.name.lower() for column in columns if column.type.id == "timestamp"]
    if not names:
        return {}
    rows = connection.execute(
        """
        select lower(column_name), list(lower(if(schema_name = 'main', '', schema_name || '.') || table_name))
        from duckdb_columns()
        where database_name = 'market' and data_type = 'TIMESTAMP' and comment like '%UTC%'
            and list_contains(?, lower(column_name))
        group by all
        """,
        [names],
    ).fetchall()
    return dict(rows)


def _type_document(kind: Any) -> list[Any]:
    """An engine's type, taken apart, as JSON."""
    return [kind.text, kind.id, [[name, _type_document(part)] for name, part in kind.parts]]


class _TooBigError(Exception):
    """One row that is larger than a whole answer may be."""


def _failure(error: Exception) -> dict[str, Any]:
    cause, text = error.__cause__ or error, str(error)
    if _OUT_OF_TIME in text:
        return {"failed": "time"}
    if isinstance(cause, duckdb.OutOfMemoryException | MemoryError):
        return {"failed": "memory"}
    if isinstance(error, _TooBigError):
        return {"failed": "size", "message": text}
    if isinstance(error, QueryError):
        return {"failed": "query", "message": error.message, "hint": error.hint}
    return {"failed": "query", "message": f"{type(error).__name__}: {text}", "hint": None}


def main(arguments: list[str]) -> int:
    """Serve until the one who started this has left."""
    global _NULL  # noqa: PLW0603 - opened before any fork, since a worker can open nothing
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this is asked, not this
    _NULL = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    with socket.socket(fileno=int(arguments[-1])) as control:
        control.sendall(LENGTH.pack(os.getpid()))
        serve(control)
    return 0


_NULL = -1

if __name__ == "__main__":
    sys.exit(main(sys.argv))
