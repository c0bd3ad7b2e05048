# SPDX-License-Identifier: Apache-2.0
"""What a listing has traded at up to a moment: bars, the session under way, candles.

One session by the minute, drawn so that its daily bar is exactly what it was.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.events import DayBar, SimCandle

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Iterable

    from ttapi.simulator.histories import Past
    from ttapi.simulator.listings import Listing


@dataclass(frozen=True)
class SessionPath:
    """Entry n is the price n minutes after the open; the first is the open, the last the close."""

    prices: tuple[float, ...]
    volumes: tuple[int, ...]
    """Shares of each minute, one fewer than prices; all 0 for an index."""

    def price_at(self, minutes: float) -> float:
        """The price so many minutes after the open, to the cent."""
        whole = min(int(minutes), len(self.prices) - 2)
        before, after = self.prices[whole : whole + 2]
        return round(before + (after - before) * min(1.0, minutes - whole), 2)

    def volume_until(self, minutes: float) -> int:
        """Shares traded in so many minutes from the open."""
        whole = min(int(minutes), len(self.volumes))
        return sum(self.volumes[:whole])


def draw_path(bar: DayBar, minutes: int, rng: random.Random) -> SessionPath:
    """A path through the bar's open, high, low and close."""
    stations = _stations(bar, minutes, rng)
    prices = [bar.open]
    for (start, _), (end, price) in pairwise(stations):
        prices += _bridge(prices[-1], price, end - start, (bar.low, bar.high), rng)
    return SessionPath(tuple(prices), _volumes(bar.volume or 0, minutes, rng))


def _stations(bar: DayBar, minutes: int, rng: random.Random) -> list[tuple[int, float]]:
    """Minute and price of open, high and low in either order, and close; minutes ascend."""
    first, second = sorted(rng.sample(range(1, minutes), 2))
    rises_first = rng.random() < (0.35 if bar.close > bar.open else 0.65)
    extremes = [bar.high, bar.low] if rises_first else [bar.low, bar.high]
    return [(0, bar.open), (first, extremes[0]), (second, extremes[1]), (minutes, bar.close)]


def _bridge(
    start: float, end: float, steps: int, limits: tuple[float, float], rng: random.Random
) -> list[float]:
    """`steps` prices after `start`, the last of them `end`, none beyond the limits."""
    deviation = (limits[1] - limits[0]) / math.sqrt(390) * 0.6
    price, prices = start, []
    for left in range(steps, 1, -1):
        price += (end - price) / left + rng.gauss(0, deviation)
        price = max(limits[0], min(limits[1], price))
        prices.append(round(price, 2))
    return [*prices, end]


def _volumes(total: int, minutes: int, rng: random.Random) -> tuple[int, ...]:
    """Shares by the minute: busy at both ends of the session; they add up to `total`."""
    if not total:
        return (0,) * minutes
    middle = minutes / 2
    weights = [
        (0.4 + 1.6 * ((n - middle) / middle) ** 2) * rng.uniform(0.5, 1.5) for n in range(minutes)
    ]
    scale = total / sum(weights)
    volumes = [int(weight * scale) for weight in weights]
    volumes[-1] += total - sum(volumes)
    return tuple(volumes)


INTRADAY_SESSIONS = 10
"""How many sessions back there are minutes."""
_PERIOD = re.compile(r"(\d*)(m|h|d|w|mo|y)")
_MINUTES = {"m": 1, "h": 60}
_SHARES_A_TRADE = 150


class Tape:
    """Bars and prices of every listing, as of any moment."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self._calendar = sessions("XNYS")
        self.path = lru_cache(maxsize=8192)(self._draw_path)

    def open_session(self, now: datetime) -> date | None:
        """The session that is open; None between sessions."""
        day = now.astimezone(NEW_YORK).date()
        if not self._calendar.is_session(day):
            return None
        is_open = self._calendar.open_utc(day) <= now < self._calendar.close_utc(day)
        return day if is_open else None

    def traded_at(self, now: datetime) -> datetime:
        """When the last trade was: now in a session, else at the last close."""
        if self.open_session(now):
            return now
        return self._calendar.close_utc(self._calendar.last_completed_session(now))

    def bars(self, listing: Listing, now: datetime, since: date | None = None) -> list[DayBar]:
        """Completed sessions from `since`, or the listing's first year, ascending."""
        last = self._calendar.last_completed_session(now)
        first = max(since.year, listing.first_year) if since else listing.first_year
        bars = [
            bar
            for year in range(first, last.year + 1)
            for bar in self.past.year(listing, year).bars
        ]
        end = bisect_left(bars, last + timedelta(1), key=lambda bar: bar.date)
        start = bisect_left(bars, since, key=lambda bar: bar.date) if since else 0
        return bars[start:end]

    def forming_bar(self, listing: Listing, now: datetime) -> DayBar | None:
        """The bar so far of the session that is open; None between sessions."""
        day = self.open_session(now)
        path = self.path(listing, day) if day else None
        if day is None or path is None:
            return None
        minutes = self._minutes_into(day, now)
        price = path.price_at(minutes)
        seen = (*path.prices[: int(minutes) + 1], price)
        volume = path.volume_until(minutes) if listing.kind != "index" else None
        return DayBar(day, seen[0], max(seen), min(seen), price, volume)

    def last_bars(self, listing: Listing, now: datetime) -> tuple[DayBar | None, DayBar]:
        """The session before, and the one that is open or has closed last."""
        since = self._calendar.add_sessions(self._calendar.last_completed_session(now), -3)
        bars = self.bars(listing, now, since) or self.bars(listing, now)
        forming = self.forming_bar(listing, now)
        if forming:
            bars.append(forming)
        return (bars[-2] if len(bars) > 1 else None), bars[-1]

    def spot(self, listing: Listing, now: datetime) -> float:
        """The price now, or the last close."""
        forming = self.forming_bar(listing, now)
        return forming.close if forming else self.last_bars(listing, now)[1].close

    def candles(
        self, listing: Listing, period: str, since: datetime, now: datetime
    ) -> tuple[SimCandle, ...]:
        """Candles of `period` (`d`, `5m`, `h`, `w`, `mo`, `y`) that begin at `since` or later, ascending.

        Empty for a period the vendor does not aggregate to.
        """
        match = _PERIOD.fullmatch(period)
        if not match:
            return ()
        count, unit = int(match[1] or 1), match[2]
        if count < 1:
            return ()
        if unit in _MINUTES:
            return self._intraday(listing, count * _MINUTES[unit], since, now)
        first = since.astimezone(UTC).date() - timedelta(366 * count if unit != "d" else 4 * count)
        bars = self.bars(listing, now, max(first, date(listing.first_year, 1, 1)))
        forming = self.forming_bar(listing, now)
        grouped = _grouped([*bars, *([forming] if forming else [])], unit, count)
        return tuple(candle for candle in grouped if candle.time >= since)

    def _intraday(
        self, listing: Listing, minutes: int, since: datetime, now: datetime
    ) -> tuple[SimCandle, ...]:
        last = self.open_session(now) or self._calendar.last_completed_session(now)
        candles = []
        for back in range(INTRADAY_SESSIONS - 1, -1, -1):
            day = self._calendar.add_sessions(last, -back)
            path = self.path(listing, day)
            if path:
                candles += self._session_candles(path, day, minutes, now)
        return tuple(candle for candle in candles if candle.time >= since)

    def _session_candles(
        self, path: SessionPath, day: date, minutes: int, now: datetime
    ) -> list[SimCandle]:
        opened, candles = self._calendar.open_utc(day), []
        so_far = max(0.0, min(len(path.volumes), self._minutes_into(day, now)))
        for start in range(0, math.ceil(so_far), minutes):
            until = min(start + minutes, so_far)
            whole = int(until)
            prices, volume = path.prices[start : whole + 1], sum(path.volumes[start:whole])
            if until > whole:
                # The minute that is open: what of it has passed.
                prices = (*prices, path.price_at(until))
                volume += int(path.volumes[whole] * (until - whole))
            bar = DayBar(day, prices[0], max(prices), min(prices), prices[-1], volume)
            candles.append(_candle(opened + timedelta(minutes=start), bar))
        return candles

    def _minutes_into(self, day: date, now: datetime) -> float:
        return (now - self._calendar.open_utc(day)).total_seconds() / 60

    def _draw_path(self, listing: Listing, day: date) -> SessionPath | None:
        """The session by the minute; None when the listing has no bar of it."""
        bars = self.past.year(listing, day.year).bars
        place = bisect_left(bars, day, key=lambda bar: bar.date)
        if place == len(bars) or bars[place].date != day:
            return None
        length = self._calendar.close_utc(day) - self._calendar.open_utc(day)
        rng = self.past.random(listing.symbol, day, "path")
        return draw_path(bars[place], int(length.total_seconds()) // 60, rng)


def _grouped(bars: Iterable[DayBar], unit: str, count: int) -> list[SimCandle]:
    groups: dict[Hashable, list[DayBar]] = defaultdict(list)
    for bar in bars:
        groups[_group(bar.date, unit, count)].append(bar)
    return [_candle(_midnight(group[0].date), _merged(group)) for group in groups.values()]


def _group(day: date, unit: str, count: int) -> int:
    """Which candle a session falls into; periods of several are counted from 1970."""
    whole = {
        "d": sessions("XNYS").session_no(day) if count > 1 else day.toordinal(),
        "w": (day.toordinal() - 1) // 7,
        "mo": day.year * 12 + day.month - 1,
        "y": day.year,
    }[unit]
    return whole // count


def _merged(bars: list[DayBar]) -> DayBar:
    volume = None if bars[0].volume is None else sum(bar.volume or 0 for bar in bars)
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    return DayBar(bars[0].date, bars[0].open, high, low, bars[-1].close, volume)


def _candle(start: datetime, bar: DayBar) -> SimCandle:
    average = round((bar.high + bar.low + 2 * bar.close) / 4, 4)
    count = max(1, (bar.volume or 0) // _SHARES_A_TRADE)
    return SimCandle(start, bar.open, bar.high, bar.low, bar.close, bar.volume, count, average)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)
