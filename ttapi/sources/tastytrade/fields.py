# SPDX-License-Identifier: Apache-2.0
"""JSON objects of the vendor into typed values, by a table of fields.

Keys the table does not name are kept as they came, in one column of JSON: nothing is dropped.
Declarations are made of the same tables, so this is read without Arrow.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from ttapi.sources.contract import Column, ColumnType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


Document = dict[str, Any]
EXTRA = "extra"
_WHOLE_LIMIT = 2**63
_DECIMAL = re.compile(
    r"[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,6})?|inf(inity)?|nan)", re.IGNORECASE
)


class FieldError(Exception):
    """A field is missing or is not of its type."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"field {key!r} {problem}")
        self.key = key


@dataclass(frozen=True)
class Field:
    """One field of the vendor and the column it becomes."""

    key: str
    """The vendor's; parts of a path are joined by a point."""
    column: str
    kind: str
    """One of the keys of `KINDS`."""
    comment: str
    is_required: bool = False


def fields(table: str) -> tuple[Field, ...]:
    """Fields from lines `key[!] [=column] kind comment`; `!`: required. Lines go by blank runs."""
    found = []
    for line in table.strip().splitlines():
        head, kind, comment = line.strip().split(None, 2)
        key, _, column = head.partition("=")
        is_required = key.endswith("!")
        key = key.rstrip("!")
        name = column or key.replace("-", "_").replace(".", "_")
        if kind not in KINDS:
            raise ValueError(f"{key}: no kind is called {kind!r}")
        found.append(Field(key, name, kind, comment, is_required))
    return tuple(found)


def columns(table: tuple[Field, ...]) -> tuple[Column, ...]:
    """The columns of a table of fields, the one of unknown keys last."""
    return (
        *(Column(f.column, KINDS[f.kind][0], f.comment) for f in table),
        Column(EXTRA, "VARCHAR", "fields this version does not know, as JSON; null: none"),
    )


def row_of(document: object, table: tuple[Field, ...], *, known: frozenset[str]) -> Document:
    """The values of `document` by column; `known`: further keys that are dealt with elsewhere.

    *Raises* FieldError for a required field that is missing, and for one that is not of its type.
    """
    if not isinstance(document, dict):
        raise FieldError("", f"is {_kind(document)}, not an object")
    row: Document = {}
    for entry in table:
        value = _at(document, entry.key)
        if value is None:
            if entry.is_required:
                raise FieldError(entry.key, "is missing")
            row[entry.column] = None
            continue
        try:
            row[entry.column] = KINDS[entry.kind][1](value)
        except (TypeError, ValueError, InvalidOperation, OverflowError) as exc:
            raise FieldError(entry.key, f"is {_shown(value)}, not {entry.kind}") from exc
    heads = known | {entry.key.partition(".")[0] for entry in table}
    rest = {key: value for key, value in document.items() if key not in heads}
    row[EXTRA] = json.dumps(rest, sort_keys=True, separators=(",", ":")) if rest else None
    return row


def signed(row: Document, document: Mapping[str, Any], pairs: Mapping[str, str]) -> Document:
    """`row` with amounts below zero where their effect is a debit; magnitudes come unsigned.

    `pairs`: the vendor's key of the effect by column of the amount.
    """
    for column, effect in pairs.items():
        if document.get(effect) == "Debit" and row.get(column) is not None:
            row[column] = -abs(row[column])
    return row


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return None if value == "" else value


def _text(value: object) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError
    # A truth is written as JSON has it: `true`, not Python's `True`.
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    exact = _decimal(value)
    number = float(exact)
    if exact.is_finite() and not math.isfinite(number):
        raise OverflowError
    return number if math.isfinite(number) else None


def _decimal(value: str | float) -> Decimal:
    """The number written out; Decimal takes `1_000` and the digits of every script beside."""
    text = str(value)
    if not _DECIMAL.fullmatch(text):
        raise ValueError
    return Decimal(text)


def _money(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    amount = _decimal(value)
    if not amount.is_finite():
        return None
    exact = amount.quantize(Decimal("0.000001"))
    if abs(exact) >= Decimal(10) ** 14:
        raise ValueError
    return exact


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    number = _decimal(value)
    if number != number.to_integral_value() or abs(number) >= _WHOLE_LIMIT:
        raise ValueError
    return int(number)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise TypeError


def _date(value: object) -> date:
    if not isinstance(value, str):
        raise TypeError
    # `2026-08-31 UTC`: the part before the blank is the date.
    return date.fromisoformat(value.partition(" ")[0][:10])


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    moment = datetime.fromisoformat(value)
    return (
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        .astimezone(UTC)
        .replace(tzinfo=None)
    )


def _json(value: object) -> str | None:
    if not isinstance(value, dict | list):
        raise TypeError
    return json.dumps(value, separators=(",", ":")) if value else None


KINDS: Mapping[str, tuple[ColumnType, Callable[[Any], Any]]] = {
    "text": ("VARCHAR", _text),
    "number": ("DOUBLE", _number),
    "money": ("DECIMAL(20,6)", _money),
    "whole": ("BIGINT", _whole),
    "flag": ("BOOLEAN", _flag),
    "date": ("DATE", _date),
    "instant": ("TIMESTAMP", _instant),
    "json": ("VARCHAR", _json),
}
"""Column type and parser by kind. money: exact to six places. number: the nearest double."""


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(
        type(value), f"a {type(value).__name__}"
    )


def _shown(value: object) -> str:
    return _kind(value) if isinstance(value, dict | list) else repr(value)[:60]


class DriftError(Exception):
    """More than half of an answer's rows cannot be read: it is another answer than was agreed."""


@dataclass
class Content:
    """What one unit holds, as read."""

    rows: list[Document] = field(default_factory=list)
    rejects: list[tuple[str, str]] = field(default_factory=list)
    """Reason and text of each refused row."""
    notes: list[str] = field(default_factory=list)

    def read(
        self,
        documents: Iterable[object],
        table: Sequence[Field],
        *,
        known: frozenset[str] = frozenset(),
        complete: Callable[[Document, Any], Iterable[Document]] = lambda row, _: [row],
    ) -> None:
        """Add the rows of `documents`; `complete` makes rows of a row and its document.

        *Raises* DriftError when more than half of them cannot be read.
        """
        from ttapi.sources.text_files import TEXT_LIMIT  # noqa: PLC0415 - tables are read without it

        seen, refused = 0, 0
        first = ""
        for document in documents:
            seen += 1
            try:
                row = row_of(document, tuple(table), known=known)
                self.rows += complete(row, document)
            except FieldError as exc:
                refused += 1
                first = first or str(exc)
                text = json.dumps(document, default=str)[:TEXT_LIMIT]
                self.rejects.append((str(exc), text))
        if refused * 2 > seen:
            more = f", and {refused} of {seen} rows are like that" if seen > 1 else ""
            raise DriftError(f"{first}{more}")
