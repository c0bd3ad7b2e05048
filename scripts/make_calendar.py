# SPDX-License-Identifier: Apache-2.0
"""Write the shipped XNYS closures, early closes and late opens: `python scripts/make_calendar.py`.

Dates come from exchange_calendars, times of day outside its rules from pandas_market_calendars,
names of what no rule foresaw from `named_by_hand.csv`, which is kept by hand with a reference a row.
Every unforeseen day must be named there, and every override must be used: either failing stops
the script before a file is written. The same library versions give the same bytes.

XNYS starts in 1953, the first whole year without Saturday sessions.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import exchange_calendars
import pandas as pd
import pandas_market_calendars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DATA = Path(__file__).resolve().parent.parent / "ttapi" / "market" / "data"
FIRST, LAST = "1953-01-01", "2050-12-31"
# exchange_calendars knows early closes since this year; older ones only its peer has.
EARLY_CLOSE_RULES_FROM = pd.Timestamp("1985-01-01")
MARKET = "XNYS"
NEW_YORK = "America/New_York"
PLAIN_NAMES = {
    "July 4th": "Independence Day",
    "President's Day": "Washington's Birthday",
    "Veteran Day": "Veterans Day",
    "Dr. Martin Luther King Jr. Day": "Martin Luther King Jr. Day",
    "Juneteenth National Independence Day": "Juneteenth",
}


@dataclass(frozen=True)
class Override:
    """One hand-kept row: why the days from `first` to `last`, both inclusive, were out of rule."""

    first: date
    last: date
    what: str
    kind: str
    name: str


def read_overrides(file: Path) -> list[Override]:
    """Return the overrides in file order."""
    with file.open(encoding="utf-8", newline="") as lines:
        next(lines)  # the licence
        return [
            Override(
                date.fromisoformat(row["from_date"]),
                date.fromisoformat(row["to_date"]),
                row["what"],
                row["kind"],
                row["name"],
            )
            for row in csv.DictReader(lines)
        ]


class Namer:
    """Names days from the overrides and remembers which overrides were used."""

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._overrides = overrides
        self._used: set[Override] = set()

    def find(self, day: date, what: str) -> Override | None:
        """Return the narrowest override of `what` that covers `day`."""
        matches = [o for o in self._overrides if o.what == what and o.first <= day <= o.last]
        if not matches:
            return None
        best = min(matches, key=lambda o: o.last - o.first)
        self._used.add(best)
        return best

    def require(self, day: date, what: str) -> Override:
        """Return the override of `what` on `day`; exit when nobody has named it."""
        found = self.find(day, what)
        if found is None:
            sys.exit(
                f"{day}: {what} has no row in named_by_hand.csv; add one with its name and reference"
            )
        return found

    def unused(self) -> list[Override]:
        """Return the overrides that named no day."""
        return [o for o in self._overrides if o not in self._used]


def closures(namer: Namer) -> list[tuple[str, ...]]:
    """Return (market, date, name, kind) of every weekday without a session."""
    # Asked for by range: the calendar's own sessions ignore regular holidays before 1970.
    calendar = exchange_calendars.get_calendar(MARKET, start="1971-01-01", end=LAST)
    regular = calendar.regular_holidays.holidays(FIRST, LAST, return_name=True)
    rows = [(day.date(), name) for day, name in regular.items() if day.day_of_week < 5]
    named = {day: (PLAIN_NAMES.get(name, name), "regular") for day, name in rows}
    for stamp in calendar.adhoc_holidays:
        day = stamp.date()
        if day >= date.fromisoformat(FIRST) and day not in named:
            named[day] = (namer.require(day, "closure").name, "ad-hoc")
    return [(MARKET, str(day), *named[day]) for day in sorted(named)]


def early_closes(schedule: pd.DataFrame, namer: Namer) -> list[tuple[str, ...]]:
    """Return (market, date, close, name, kind) of every session that ended before its time."""
    peer = _special_times(
        schedule, "market_close", before="15:30", since=pd.Timestamp("1974-01-01"), then="16:00"
    )
    rules = exchange_calendars.get_calendar(MARKET, start=EARLY_CLOSE_RULES_FROM, end=LAST)
    closing = rules.closes[rules.early_closes].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
    times = {day: time for day, time in peer.items() if day < EARLY_CLOSE_RULES_FROM}
    times |= {day: time for day, time in peer.items() if namer.find(day.date(), "early_close")}
    times |= closing.to_dict()
    rows = []
    for stamp in sorted(times):
        day = stamp.date()
        name, kind = _early_close_name(day, namer)
        rows.append((MARKET, str(day), times[stamp], name, kind))
    return rows


def late_opens(schedule: pd.DataFrame, namer: Namer) -> list[tuple[str, ...]]:
    """Return (market, date, open, name, kind) of every session that began after its time."""
    times = _special_times(
        schedule, "market_open", before="10:00", since=pd.Timestamp("1985-01-01"), then="09:30"
    )
    rows = []
    for stamp in sorted(times):
        override = namer.require(stamp.date(), "late_open")
        rows.append((MARKET, str(stamp.date()), times[stamp], override.name, override.kind))
    return rows


def _special_times(
    schedule: pd.DataFrame, column: str, *, before: str, since: pd.Timestamp, then: str
) -> dict[pd.Timestamp, str]:
    """Return the times that differ from the peer's usual: `before`, from `since` on `then`."""
    local = schedule[column].dt.tz_convert(NEW_YORK).dt.strftime("%H:%M")
    usual = pd.Series(before, index=local.index).mask(local.index >= since, then)
    return local[local != usual].to_dict()


def _early_close_name(day: date, namer: Namer) -> tuple[str, str]:
    override = namer.find(day, "early_close")
    if override is not None:
        return override.name, override.kind
    if (day.month, day.day) == (12, 24):
        return "Christmas Eve", "regular"
    if (day.month, day.day) == (12, 26):
        return "Day after Christmas", "regular"
    if day.month == 7 and day.day in (3, 5):
        return "Independence Day", "regular"
    if day.month == 11 and day.weekday() == 4 and 23 <= day.day <= 29:
        return "Day after Thanksgiving", "regular"
    override = namer.require(day, "early_close")
    return override.name, override.kind


def write(file_name: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write one CSV below its licence line, with LF line ends."""
    with file_name.open("w", encoding="utf-8", newline="") as file:
        file.write("# SPDX-License-Identifier: Apache-2.0\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(folder: Path = DATA) -> None:
    """Write all three files into `folder`, or none."""
    namer = Namer(read_overrides(DATA / "named_by_hand.csv"))
    schedule = pandas_market_calendars.get_calendar("NYSE").schedule(FIRST, LAST)
    closed = closures(namer)
    early = early_closes(schedule, namer)
    late = late_opens(schedule, namer)
    if namer.unused():
        sys.exit(f"named_by_hand.csv: no such day in the calendars: {namer.unused()}")
    write(folder / "closures.csv", ("market", "date", "name", "kind"), closed)
    write(folder / "early_closes.csv", ("market", "date", "close", "name", "kind"), early)
    write(folder / "late_opens.csv", ("market", "date", "open", "name", "kind"), late)
    print(f"{len(closed)} closures, {len(early)} early closes, {len(late)} late opens")


if __name__ == "__main__":
    main()
