# SPDX-License-Identifier: Apache-2.0
"""Rows over HTTP: what a query string asks of a relation, the format that is wanted, where to go on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson

from ttapi.api import RowCondition, RowsRequest
from ttapi.errors import UsageError
from ttapi.formats.records import FORMATS
from ttapi.formats.text import DisplayStyle
from ttapi.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ttapi.api import RelationRows, ResultColumn, Rows

Made = TypeVar("Made")
MEDIA_TYPES = {
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}
"""What `Accept` may ask for, and the format it is."""
_FEW = 2_000
_KEPT_BYTES = 8 * 1024 * 1024
"""Of answers that are kept of a generation."""
_TAKEN_OVER = frozenset({
    "varchar", "boolean", "double", "date", "timestamp", "tinyint", "smallint", "integer", "bigint",
    "utinyint", "usmallint", "uinteger", "ubigint",
})  # fmt: skip
_ANY = {"*/*": "application/json", "application/*": "application/json", "text/*": "text/csv"}


@dataclass(frozen=True)
class Cursor:
    """Where a reading goes on."""

    generation: int | None
    offset: int
    digest: str
    """Of what is read: it goes on with nothing else."""

    @property
    def text(self) -> str:
        """As a client hands it back."""
        said = json.dumps([self.generation, self.offset, self.digest], separators=(",", ":"))
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def cursor_for(text: str | None, digest: str) -> Cursor:
    """The cursor that `text` is, at the beginning for None.

    *Raises* UsageError for one that no answer to the same request gave.
    """
    if text is None:
        return Cursor(None, 0, digest)
    wrong = UsageError("the cursor is of another request", hint="give `next` of the answer before")
    try:
        padded = text + "=" * (-len(text) % 4)
        generation, offset, said_of = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise wrong from exc
    is_right = type(offset) is int and 0 <= offset <= 10**12 and said_of == digest
    if not is_right or not (generation is None or type(generation) is int):
        raise wrong
    return Cursor(generation, offset, digest)


def digest_of(*parts: str) -> str:
    """A short text that differs where one of `parts` does."""
    said = json.dumps(parts).encode()
    return hashlib.blake2b(said, digest_size=9).hexdigest()


def condition_text(column: str, operator: str, value: str) -> str:
    """One condition as `where` writes it."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;")
    return f"{column}:{operator}:{escaped}"


def rows_request(relation: str, query: Any, where: Sequence[str] = ()) -> RowsRequest:
    """What a query string asks of `relation`; what `where` says holds, too.

    *Raises* UsageError for a condition that is none.
    """
    return RowsRequest(
        relation,
        columns=tuple(_names(query.columns)),
        conditions=tuple(one for text in (*where, *query.where) for one in _conditions(text)),
        order=tuple((name.removeprefix("-"), name.startswith("-")) for name in _names(query.order)),
        offset=query.offset,
        limit=query.limit,
        generation=query.generation,
    )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _conditions(text: str) -> Iterator[RowCondition]:
    for piece in _pieces(text):
        column, colon, rest = piece.partition(":")
        operator, has_value, value = rest.partition(":")
        if not colon:
            raise UsageError(
                f"{piece!r} is no condition", hint="column:operator:value, as symbol:eq:SPY"
            )
        yield RowCondition(column.strip(), operator.strip(), value if has_value else None)


def _pieces(text: str) -> Iterator[str]:
    """What stands between semicolons, none of them behind a backslash; what is empty is passed over."""
    piece, is_escaped = "", False
    for sign in text:
        if is_escaped or sign not in "\\;":
            piece, is_escaped = piece + sign, False
        elif sign == "\\":
            is_escaped = True
        else:
            if piece.strip():
                yield piece
            piece = ""
    if piece.strip():
        yield piece


@dataclass(frozen=True)
class EncodedRows:
    """Rows as bytes of one media type."""

    content: bytes
    media_type: str
    total: int
    next: str | None


class Kept(Generic[Made]):
    """What was made and is given again, the least asked of it forgotten first; threads share it."""

    def __init__(self, size_of: Callable[[Made], int], most_bytes: int = _KEPT_BYTES) -> None:
        self._size_of, self._most, self._bytes = size_of, most_bytes, 0
        self._kept: OrderedDict[object, Made] = OrderedDict()
        self._making: dict[object, Future[Made]] = {}
        self._lock = threading.Lock()

    def get(self, key: object) -> Made | None:
        """What is kept under `key`."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: object, made: Made) -> None:
        """Nothing; it is kept, unless it takes an eighth of the room."""
        size = self._size_of(made)
        if size > self._most // 8:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = made
            self._bytes += size
            while self._bytes > self._most:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= self._size_of(gone)

    def made(self, key: object, make: Callable[[], Made]) -> Made:
        """What is kept under `key`, or `make` makes: once for all who ask meanwhile. *Raises* what that raises."""
        found = self.get(key)
        if found is not None:
            return found
        own: Future[Made] = Future()
        with self._lock:
            making = self._making.setdefault(key, own)
        if making is not own:
            return making.result()
        try:
            found = make()
            self.keep(key, found)
            own.set_result(found)
        except BaseException as exc:
            own.set_exception(exc)
            raise
        finally:
            with self._lock:
                del self._making[key]
        return found


def encoded(
    found: RelationRows, media_type: str, following: str | None, notes: Sequence[str] = ()
) -> EncodedRows:
    """The rows as one of MEDIA_TYPES; JSON says `notes` beside them."""
    is_json = MEDIA_TYPES[media_type] == "json"
    content = _json(found, following, notes) if is_json else written_rows(found.rows, media_type)
    return EncodedRows(content, media_type, found.total, following)


def written_rows(rows: Rows, media_type: str) -> bytes:
    """The rows as one of MEDIA_TYPES, nothing around them."""
    stream = io.BytesIO()
    FORMATS[MEDIA_TYPES[media_type]].write(rows, stream, DisplayStyle(zone="UTC"))
    return stream.getvalue()


def chosen_type(accept: str) -> str:
    """The media type of MEDIA_TYPES that `accept` likes best. *Raises* Problem 406."""
    best, liked = None, 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        media_type = _ANY.get(name, name)
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        if media_type in MEDIA_TYPES and quality > liked:
            best, liked = media_type, quality
    if best is None:
        raise Problem(406, f"rows come as {', '.join(MEDIA_TYPES)}")
    return best


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _json(found: RelationRows, following: str | None, notes: Sequence[str]) -> bytes:
    columns = [{"name": c.name, "type": c.type, "comment": c.comment} for c in found.columns]
    head = {
        "total": found.total,
        "generation": found.generation,
        "next": following,
        "notes": list(notes),
        "columns": columns,
    }
    return orjson.dumps(head)[:-1] + b',"rows":' + json_rows(found.rows) + b"}\n"


def json_rows(rows: Rows) -> bytes:
    """The rows as an array of objects."""
    few = _few_rows(rows)
    return few or b"[" + b"".join(rows.json_lines(before=",\n", after=""))[1:] + b"]"


def _few_rows(rows: Rows) -> bytes | None:
    """The rows as the engine would write them, made here; None for many, and for types with digits to lose.

    The engine takes 20 ms to understand how it shall write 25 columns, whatever rows there are.
    """
    if rows.table.num_rows > _FEW or any(c.type.id not in _TAKEN_OVER for c in rows.columns):
        return None
    try:
        cells = [
            _cells(rows.table.column(number).to_pylist(), column)
            for number, column in enumerate(rows.columns)
        ]
    except (ValueError, OverflowError):  # a date that Python has none for
        return None
    names = rows.unique_names
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)])


def _cells(values: list[Any], column: ResultColumn) -> list[Any]:
    if column.type.id == "date":
        return [None if value is None else value.isoformat() for value in values]
    if column.type.id == "timestamp":
        between, end = ("T", "Z") if column.is_instant else (" ", "")
        return [None if value is None else _instant(value, between) + end for value in values]
    return values


def _instant(value: datetime, between: str) -> str:
    text = value.isoformat(between)
    return text.rstrip("0") if "." in text else text
