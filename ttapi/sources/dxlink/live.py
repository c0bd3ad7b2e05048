# SPDX-License-Identifier: Apache-2.0
"""Events of a live feed as columns: what is declared of each type, and flat arrays cut into batches.

A COMPACT message is a type and a flat array, whose columns are the names that FEED_CONFIG granted.
Columns are sliced out of it by their stride, a thousand events at a time: a dict an event would cost
ten times as much. Instants of 0 mean that the vendor said none.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from ttapi.market.dxfeed import TIME_SERIES, EventFlag
from ttapi.sources.contract import Column, ColumnType, Resource
from ttapi.sources.dxlink.events import (
    NO_TEXTS,
    YEAR_3000,
    instant_of,
    number_of,
    text_of,
    whole_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    Completed = tuple[Resource, pa.RecordBatch, int]
    """A batch: whose it is, its rows, how many events were refused."""

Kind = Literal["number", "whole", "text", "instant", "claim"]
_TYPES: dict[Kind, ColumnType] = {
    "number": "DOUBLE", "whole": "BIGINT", "text": "VARCHAR", "instant": "TIMESTAMP", "claim": "BOOLEAN",
}  # fmt: skip
CUT = 1_000
"""Events that make a batch: fewer cost more a batch, many more leave the processor's cache."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class LiveColumn:
    """One field of an event type, as a column."""

    name: str
    fields: tuple[str, ...]
    """DxFeed's; of several the latest instant counts."""
    kind: Kind
    comment: str


@dataclass(frozen=True)
class LiveType:
    """One event type that is recorded, and the log that holds it."""

    event_type: str
    resource: Resource
    columns: tuple[LiveColumn, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """What is asked of the vendor, in order."""
        named = dict.fromkeys(name for column in self.columns for name in column.fields)
        flags = ["eventFlags"] if self.event_type in TIME_SERIES else []
        return ("eventSymbol", *flags, *named)


_ARRIVAL = (
    Column("symbol", "VARCHAR", "as it was asked for: an underlying, or an option's 21 characters"),
    Column("streamer_symbol", "VARCHAR", "dxFeed's symbol"),
    Column("received_at", "TIMESTAMP", "UTC, when it arrived here"),
    Column("arrival", "BIGINT", "number of arrival: later events have larger ones"),
)


def _live_type(
    event_type: str,
    name: str,
    about: str,
    *columns: LiveColumn,
    conflates_by: tuple[str, ...] = ("symbol",),
) -> LiveType:
    declared = tuple(Column(one.name, _TYPES[one.kind], one.comment) for one in columns)
    resource = Resource(
        name=name,
        table=f"dxlink_{name}",
        about=about,
        columns=(*_ARRIVAL, *declared),
        grain=("arrival",),
        keys=("symbol",),
        time_column="received_at",
        mode="append",
        ttl="5m",
        storage="log",
        conflates_by=conflates_by,
    )
    return LiveType(event_type, resource, columns)


def _figures(text: str) -> tuple[LiveColumn, ...]:
    """Columns of numbers: a line each of column, dxFeed's field, comment."""
    lines = (line.split(None, 2) for line in text.strip().splitlines())
    return tuple(LiveColumn(name, (fields,), "number", comment) for name, fields, comment in lines)


def _one(name: str, fields: str, kind: Kind, comment: str) -> LiveColumn:
    return LiveColumn(name, tuple(fields.split()), kind, comment)


_SEQUENCE = _one(
    "sequence", "sequence", "whole", "dxFeed's number among events of one time; null: none"
)
_TIME = _one("event_time", "time", "instant", "UTC, the vendor's clock; null: not said")

LIVE_TYPES = (
    _live_type(
        "Quote",
        "quotes",
        "Best bid and ask as dxFeed streamed them.",
        _one("event_time", "bidTime askTime", "instant", "UTC, the vendor's clock; null: not said"),
        _SEQUENCE,
        *_figures("""
            bid      bidPrice price per share or contract; null: no bid
            ask      askPrice price per share or contract; null: no ask
            bid_size bidSize  shares or contracts at the bid; null: unknown
            ask_size askSize  shares or contracts at the ask; null: unknown
        """),
        _one("bid_exchange", "bidExchangeCode", "text", "dxFeed's letter; null: not said"),
        _one("ask_exchange", "askExchangeCode", "text", "dxFeed's letter; null: not said"),
    ),
    _live_type(
        "TimeAndSale",
        "time_and_sales",
        "Every print as dxFeed streamed it; a correction or cancellation is an event of its own.",
        _TIME,
        _SEQUENCE,
        _one("tick_id", "index", "whole", "dxFeed's index of the print"),
        *_figures("""
            price price    price per share or contract; null: none
            size  size     shares or contracts; null: unknown
            bid   bidPrice best bid at the print; null: unknown
            ask   askPrice best ask at the print; null: unknown
        """),
        _one("exchange", "exchangeCode", "text", "dxFeed's letter; null: not said"),
        _one(
            "conditions",
            "exchangeSaleConditions",
            "text",
            "of the sale, by the exchange; null: none",
        ),
        _one("aggressor", "aggressorSide", "text", "BUY, SELL or UNDEFINED"),
        _one("type", "type", "text", "NEW, CORRECTION or CANCEL"),
        _one("is_valid", "validTick", "claim", "whether it sets the last price; null: not said"),
        _one(
            "is_extended", "extendedTradingHours", "claim", "outside regular hours; null: not said"
        ),
        conflates_by=(),
    ),
    _live_type(
        "Trade",
        "trades",
        "The last price as dxFeed streamed it: a conflated value, not every print.",
        _TIME,
        _SEQUENCE,
        *_figures("""
            price        price      price per share or contract; null: none
            size         size       shares or contracts of the last trade; null: unknown
            change       change     against the close before, price per share; null: unknown
            day_volume   dayVolume  shares or contracts so far this session; null: unknown
            day_turnover dayTurnover USD so far this session; null: unknown
        """),
        _one("exchange", "exchangeCode", "text", "dxFeed's letter; null: not said"),
    ),
    _live_type(
        "Greeks",
        "greeks",
        "Greeks of options as dxFeed streamed them, in its units.",
        _TIME,
        _SEQUENCE,
        *_figures("""
            price      price      dxFeed's price of the option; null: none
            volatility volatility annualised fraction; null: none
            delta      delta      per share
            gamma      gamma      per share and USD
            theta      theta      USD a day and share
            rho        rho        USD per percent point, as dxFeed says it
            vega       vega       USD per volatility point, as dxFeed says it
        """),
    ),
    _live_type(
        "Candle",
        "minutes",
        "Candles of one minute as dxFeed streamed them; the last word on a minute stands.",
        _TIME,
        _SEQUENCE,
        *_figures("""
            count  count  trades in the minute; null: unknown
            open   open   price per share; null: none
            high   high   price per share; null: none
            low    low    price per share; null: none
            close  close  price per share; null: none
            volume volume shares or contracts; null: unknown
            vwap   VWAP   volume-weighted price per share; null: unknown
        """),
        conflates_by=("symbol", "event_time"),
    ),
)
"""What can be recorded, in the order channels are opened."""

BY_EVENT = {one.event_type: one for one in LIVE_TYPES}
BY_RESOURCE = {one.resource.name: one for one in LIVE_TYPES}


@dataclass
class _Pending:
    """Events of one type that make no batch yet."""

    names: tuple[str, ...] = ()
    flat: list[Any] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)
    """Microseconds since 1970, UTC."""
    refused: int = 0


_REMOVE = int(EventFlag.REMOVE)
_MANY = 200
"""Events from which on Arrow's functions cost less than Python's."""


class LiveColumns:
    """Takes the data of messages, gives batches of about `CUT` events."""

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._symbols = symbols
        """What dxFeed's symbols were asked as."""
        self._pending: dict[str, _Pending] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to become a batch."""
        return not any(one.arrivals or one.refused for one in self._pending.values())

    def take(
        self, data: object, granted: Mapping[str, Sequence[str]], arrived: datetime
    ) -> list[Completed]:
        """The batches that `data`, a message's field of that name, completes: resource, rows, refused."""
        done: list[Completed] = []
        for event_type, values in _arrays(data):
            live = BY_EVENT.get(event_type)
            if live is None:
                continue
            pending = self._pending.setdefault(event_type, _Pending())
            names = tuple(granted.get(event_type, ()))
            if names != pending.names:
                done += self._cut(event_type)
                pending = self._pending[event_type] = _Pending(names)
            count, is_odd = divmod(len(values), len(names)) if names else (0, 1)
            if is_odd:
                pending.refused += count + 1
                continue
            pending.flat += values
            pending.arrivals += [(arrived - _EPOCH) // _MICROSECOND] * count
            if len(pending.arrivals) >= CUT:
                done += self._cut(event_type)
        return done

    def cut(self) -> list[Completed]:
        """What waits, as batches."""
        return [batch for event_type in list(self._pending) for batch in self._cut(event_type)]

    def _cut(self, event_type: str) -> list[Completed]:
        pending = self._pending[event_type]
        self._pending[event_type] = _Pending(pending.names)
        if not pending.arrivals and not pending.refused:
            return []
        live = BY_EVENT[event_type]
        rows, refused = _batch(live, pending, self._symbols)
        return [(live.resource, rows, pending.refused + refused)]


def _arrays(data: object) -> list[tuple[str, list[Any]]]:
    """Pairs of event type and flat array; what is no such pair is left out."""
    if not isinstance(data, list):
        return []
    pairs = zip(data[::2], data[1::2], strict=False)
    return [
        (kind, flat) for kind, flat in pairs if isinstance(kind, str) and isinstance(flat, list)
    ]


def _batch(
    live: LiveType, pending: _Pending, symbols: Mapping[str, str]
) -> tuple[pa.RecordBatch, int]:
    """The rows, and how many were refused: those without a symbol that was asked for.

    What ends or takes back a part of a history is no event, and neither kept nor refused.
    """
    import pyarrow as pa  # noqa: PLC0415 - declarations are read by commands that need no Arrow

    width, count = len(pending.names), len(pending.arrivals)
    by_name = {name: pending.flat[place::width] for place, name in enumerate(pending.names)}
    streamed = by_name.get("eventSymbol", [None] * count)
    asked = _asked_as(streamed, symbols)
    arrivals, refused = pending.arrivals, asked.count(None)
    gone = [type(f) is int and f & _REMOVE != 0 for f in by_name.get("eventFlags", ())]
    if refused or any(gone):
        lost = gone or [False] * count
        kept = [n for n in range(count) if asked[n] is not None and not lost[n]]
        by_name = {name: [values[n] for n in kept] for name, values in by_name.items()}
        asked, streamed = [asked[n] for n in kept], [streamed[n] for n in kept]
        arrivals = [arrivals[n] for n in kept]
    symbol = pa.array(asked, pa.string())
    columns = [
        symbol,
        # Of what is no option both are the same text.
        symbol if asked == streamed else pa.array(streamed, pa.string()),
        pa.array(arrivals, pa.timestamp("us")),
    ]
    nothing = [None] * len(asked)
    for column in live.columns:
        parts = [by_name.get(name, nothing) for name in column.fields]
        columns.append(_array_of(column.kind, parts))
    names = ["symbol", "streamer_symbol", "received_at", *(one.name for one in live.columns)]
    return pa.RecordBatch.from_arrays(columns, names), refused


def _asked_as(streamed: Sequence[Any], symbols: Mapping[str, str]) -> list[str | None]:
    """What each symbol was asked as; None: it was not."""
    try:
        return list(map(symbols.get, streamed))
    except TypeError:  # a list where a symbol should stand
        return [symbols.get(name) if isinstance(name, str) else None for name in streamed]


def _array_of(kind: Kind, parts: Sequence[list[Any]]) -> pa.Array:
    """The column; what fits is looked at as the list it is: Arrow's functions cost more than small batches."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    values = parts[0]
    if kind == "number":
        return _typed(values, pa.float64(), number_of, is_clean=_is_finite(values))
    if kind == "text":
        return _typed(values, pa.string(), text_of, is_clean=_says_all(values))
    if kind == "claim":
        return pa.array([one if type(one) is bool else None for one in values], pa.bool_())
    if kind == "whole":
        return _typed(values, pa.int64(), whole_of)
    with suppress(OverflowError):
        if all(set(map(type, one)) == {int} for one in parts):
            return _instants(parts)
    return pa.array(map(instant_of, zip(*parts, strict=True)), pa.timestamp("us"))


def _instants(parts: Sequence[list[int]]) -> pa.Array:
    """Milliseconds since 1970, of several the latest, as instants. *Raises* OverflowError for what is none."""
    import pyarrow as pa  # noqa: PLC0415 - commands that read the declarations need no Arrow
    import pyarrow.compute as pc  # noqa: PLC0415 - the same

    if (newest := max(map(max, parts))) >= YEAR_3000:
        raise OverflowError(newest)
    if len(parts[0]) < _MANY:
        latest = map(max, *parts) if len(parts) > 1 else parts[0]
        return pa.array([1000 * one if one > 0 else None for one in latest], pa.timestamp("us"))
    latest = pc.max_element_wise(*(pa.array(one, pa.int64()) for one in parts))
    is_said = pc.greater(latest, 0)
    millis = latest if pc.all(is_said).as_py() else pc.if_else(is_said, latest, None)
    return pc.multiply(millis, 1000).cast(pa.timestamp("us"))


def _is_finite(values: list[Any]) -> bool:
    """Whether all are finite numbers; False also where that is not told by their sum."""
    try:
        return math.isfinite(sum(values))
    except (TypeError, OverflowError):
        return False


def _says_all(values: list[Any]) -> bool:
    """Whether each says something."""
    try:
        return NO_TEXTS.isdisjoint(values)
    except TypeError:
        return False


def _typed(
    values: list[Any], data_type: pa.DataType, clean: Callable[[Any], Any], *, is_clean: bool = True
) -> pa.Array:
    """The values as they are where all fit, else each cleaned: `NaN` comes as a text."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if is_clean:
        with suppress(pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array(values, data_type)
    return pa.array([clean(value) for value in values], data_type)
