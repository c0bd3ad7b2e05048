# SPDX-License-Identifier: Apache-2.0
"""One history of daily candles as a batch: rows checked, dated and refused one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ttapi.market.calendar import NEW_YORK
from ttapi.market.dxfeed import EventFlag
from ttapi.sources.batches import reject_table
from ttapi.sources.contract import Batch, UnitReport, UnitRequest
from ttapi.sources.dxlink.snapshots import event_flags
from ttapi.sources.instants import known_at_close, session_today

if TYPE_CHECKING:
    from ttapi.sources.dxlink.decode import Event
    from ttapi.sources.dxlink.histories import CandleHistory

_PRICES = {"open": "open", "high": "high", "low": "low", "close": "close"}
_FIGURES = {
    **_PRICES,
    "volume": "volume",
    "VWAP": "vwap",
    "bidVolume": "bid_volume",
    "askVolume": "ask_volume",
    "impVolatility": "imp_volatility",
    "openInterest": "open_interest",
}
"""dxFeed's field of each column of numbers."""
_COUNTS = {"sequence": "sequence", "count": "count"}
_ENDS = EventFlag.SNAPSHOT_END | EventFlag.SNAPSHOT_SNIP


class _RefusedError(Exception):
    """A candle that cannot be a row; its text is the reason."""


@dataclass(frozen=True)
class _Series:
    """What all rows of a unit share."""

    request: UnitRequest
    streamer_symbol: str
    tho: bool
    now: datetime

    def holds(self, day: date) -> bool:
        """Whether `day` was asked for."""
        low, high = self.request.from_date, self.request.to_date
        return (low is None or day >= low) and (high is None or day < high)


def candle_batch(
    request: UnitRequest, history: CandleHistory, streamer_symbol: str, now: datetime, *, tho: bool
) -> Batch:
    """The rows of one symbol within the dates asked for, with one report."""
    if history.error is not None:
        return Batch((UnitReport(request.unit, error=history.error),))
    series = _Series(request, streamer_symbol, tho, now)
    rows: list[dict[str, object]] = []
    refused = [(0, 0, refusal.reason, refusal.text) for refusal in history.refused]
    for event in history.candles:
        try:
            row = _row(event, series)
        except _RefusedError as exc:
            refused.append((0, 0, str(exc), str(event)))
        else:
            rows += [] if row is None else [row]
    report = UnitReport(
        request.unit,
        rows_in=len(rows) + len(refused),
        rows_accepted=len(rows),
        rows_refused=len(refused),
        first_date=rows[0]["date"] if rows else None,  # type: ignore[arg-type] # _row puts a date there
        last_date=rows[-1]["date"] if rows else None,  # type: ignore[arg-type] # the same
        has_duplicates=False,
        truncated_before=rows[0]["date"] if history.is_truncated and rows else None,  # type: ignore[arg-type] # the same
        notes=_notes(history, rows),
    )
    return Batch((report,), _table(rows, now), _without_lines(reject_table(refused)))


def _row(event: Event, series: _Series) -> dict[str, object] | None:
    """The candle as a row; None for the row that ends a history, and outside the dates asked for."""
    if event.get("close") is None and event_flags(event) & _ENDS:
        return None
    began = _instant(event.get("time"))
    day = session_date(began)
    if not series.holds(day):
        return None
    if day > session_today(series.now):
        raise _RefusedError(f"{day} lies in the future")
    figures = {column: _number(event, field) for field, column in _FIGURES.items()}
    if figures["close"] is None:
        raise _RefusedError("close is missing")
    for column in _PRICES.values():
        price = figures[column]
        if price is not None and price <= 0:
            raise _RefusedError(f"{column} is not above 0")
    return {
        "symbol": series.request.unit.key,
        "streamer_symbol": series.streamer_symbol,
        "tho": series.tho,
        "period": "d",
        "date": day,
        "time": began,
        **{column: _whole(event, field) for field, column in _COUNTS.items()},
        **figures,
    }


def session_date(began: datetime) -> date:
    """The session a daily candle is of: midnight UTC names it, any other instant New York's date."""
    if began.timetz() == time(tzinfo=UTC):
        return began.date()
    return began.astimezone(NEW_YORK).date()


def _instant(milliseconds: object) -> datetime:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)  # type: ignore[call-overload] # anything that is no number raises, as it should
    except (TypeError, ValueError, OverflowError, OSError):
        raise _RefusedError(f"time {milliseconds!r} is no instant") from None


def _number(event: Event, field: str) -> float | None:
    value = event.get(field)
    if value is None:
        return None
    if isinstance(value, bool | str):
        raise _RefusedError(f"{field} is no number")
    try:
        return float(value)
    except OverflowError:
        raise _RefusedError(f"{field} is too large") from None


def _whole(event: Event, field: str) -> int | None:
    value = _number(event, field)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**62 else None


def _notes(history: CandleHistory, rows: list[dict[str, object]]) -> tuple[str, ...]:
    notes = []
    if not history.refused and all(event.get("close") is None for event in history.candles):
        notes.append("no candle came: unknown symbol, or none in the interval")
    if history.is_truncated and rows:
        notes.append(
            f"history is truncated: the feed sent nothing before {rows[0]['date']}, its limit of candles"
        )
    if history.rows_unread:
        notes.append(f"{history.rows_unread} rows of unknown symbols could not be read meanwhile")
    return tuple(notes)


def _table(rows: list[dict[str, object]], now: datetime) -> pa.Table:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([row[name] for row in rows], kind)

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    known_at = known_at_close(pl.Series([row["date"] for row in rows], dtype=pl.Date), now)
    return pa.table(
        {
            "symbol": column("symbol", text),
            "streamer_symbol": column("streamer_symbol", text),
            "tho": column("tho", pa.bool_()),
            "period": column("period", text),
            "date": column("date", pa.date32()),
            "time": pa.array(
                [row["time"].replace(tzinfo=None) for row in rows],  # type: ignore[attr-defined] # _row puts an instant there
                pa.timestamp("us"),
            ),
            **{name: column(name, whole) for name in _COUNTS.values()},
            **{name: column(name, number) for name in _FIGURES.values()},
            "unit": pa.array([0] * len(rows), pa.int32()),
            "line": pa.nulls(len(rows), pa.int32()),
            "known_at": known_at.to_arrow(),
        }
    )


def _without_lines(rejects: pa.Table | None) -> pa.Table | None:
    """Rejects of a stream: they stand on no line."""
    if rejects is None:
        return None
    place = rejects.schema.get_field_index("line")
    return rejects.set_column(place, "line", pa.nulls(rejects.num_rows, pa.int32()))
