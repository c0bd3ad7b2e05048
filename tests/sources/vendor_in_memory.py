# SPDX-License-Identifier: Apache-2.0
"""A vendor in memory and the source that reads it well, with many that read it badly."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, timedelta

import pyarrow as pa

from ttapi.errors import SourceDownError, SourceError
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

STATES = ("empty", "late", "drift", "down", "throttled", "broken")
COLUMNS = (
    Column("symbol", "VARCHAR", "upper case"),
    Column("date", "DATE", "session date"),
    Column("price", "DOUBLE", "USD"),
)
RESOURCE = Resource(
    "prices", "vendor_prices", "Prices.", COLUMNS, ("symbol", "date"), ("symbol",),
    time_column="date", ttl="1d",
)  # fmt: skip
DAY = date(2024, 6, 12)
HEALTHY = {
    "a": [("AAA", DAY, 1.0), ("AAA", DAY + timedelta(days=1), 2.0), "not a row"],
    "b": [("BBB", DAY, 3.0)],
}


class Good:
    """A vendor in memory whose state is a setting."""

    name = "vendor"
    about = "A vendor in memory."
    version = "1"
    resources = (RESOURCE,)
    setting_names = ("state",)
    sql_folder = None

    def missing_setting(self, resource, context):
        return None if "state" in context.settings else "state"

    def survey(self, resource, context):
        if context.settings["state"] == "down":
            raise SourceDownError("vendor answers 503")
        return [Unit(key) for key in self.pages(context)]

    def fetch(self, resource, requests, context):
        for number, request in enumerate(requests):
            state = context.settings["state"]
            if number == 1 and state in {"broken", "throttled"}:
                raise SourceError("the connection broke off")
            page = self.pages(context).get(request.unit.key)
            if page is None:
                yield Batch((UnitReport(request.unit, error="no such page"),))
            else:
                yield self.batch(request, page, context)

    def pages(self, context):
        if context.settings["state"] == "empty":
            return {"a": []}
        if context.settings["state"] == "late":
            early = ("AAA", DAY - timedelta(days=5), 9.0)
            return {**HEALTHY, "a": [*HEALTHY["a"], early, ("AAA", DAY, 1.5)]}
        if context.settings["state"] == "drift":
            return {"a": ["a page of another kind"]}
        return HEALTHY

    def batch(self, request, page, context):
        seal = hashlib.blake2b(repr(page).encode(), digest_size=8).hexdigest()
        if seal == request.known_hash:
            return Batch((UnitReport(request.unit, seal, is_unchanged=True),))
        good = [row for row in page if not isinstance(row, str)]
        bad = [row for row in page if isinstance(row, str)]
        days = [row[1] for row in good]
        report = UnitReport(
            request.unit, seal, len(page), len(good), len(bad), min(days, default=None), max(days, default=None),
            has_duplicates=len({row[:2] for row in good}) < len(good),
        )  # fmt: skip
        return Batch((report,), table(good), rejects(bad))


def table(rows):
    nothing = [None] * len(rows)
    return pa.table(
        {
            **{c.name: [row[n] for row in rows] for n, c in enumerate(COLUMNS)},
            "unit": pa.array([0] * len(rows), pa.int32()),
            "line": pa.array(nothing, pa.int32()),
            "known_at": pa.array(nothing, pa.timestamp("us")),
        }
    )


def rejects(texts):
    count = len(texts)
    return pa.table(
        {
            "unit": pa.array([0] * count, pa.int32()),
            "line": pa.array([None] * count, pa.int32()),
            "reason": pa.array(["no row"] * count, pa.string()),
            "text": pa.array(texts, pa.string()),
        }
    )


def settings(state="healthy"):
    return {"state": state}


SCENARIOS = {state: settings(state) for state in STATES}


def changed_batch(change):
    """A Good whose batches are changed on their way out."""

    class Bad(Good):
        def batch(self, request, page, context):
            return change(super().batch(request, page, context), context)

    return Bad


def in_report(**changes):
    def change(batch, _context):
        return replace(batch, units=tuple(replace(r, **changes) for r in batch.units))

    return changed_batch(change)


def in_rows(name, values):
    """One column of the rows replaced where there are rows."""

    def change(batch, context):
        if batch.rows is None or not batch.rows.num_rows:
            return batch
        rows = batch.rows.drop_columns([name])
        made = values(batch.rows, context)
        return replace(batch, rows=rows if made is None else rows.append_column(name, made))

    return changed_batch(change)


class Counting(Good):
    """Answers from a counter that all its instances share."""

    calls = 0

    def batch(self, request, page, context):
        Counting.calls += 1
        rows = [
            row if isinstance(row, str) else (*row[:2], row[2] + Counting.calls) for row in page
        ]
        return super().batch(request, rows, context)


class Lists(Good):
    """Names a unit twice."""

    def survey(self, resource, context):
        return [*super().survey(resource, context), Unit("b")]


class Silent(Good):
    """Passes over what is not there."""

    def fetch(self, resource, requests, context):
        known = [r for r in requests if r.unit.key in self.pages(context)]
        return super().fetch(resource, known, context)


class Forgetful(Good):
    """Leaves out its last unit."""

    def fetch(self, resource, requests, context):
        return super().fetch(resource, requests[:-1], context)


class Foreign(Good):
    """Lets a library's error out."""

    def fetch(self, resource, requests, context):
        if context.settings["state"] in {"broken", "throttled", "drift"}:
            raise ValueError("unexpected token")
        return super().fetch(resource, requests, context)


class Deaf(Good):
    """Takes no answer for nothing there."""

    def survey(self, resource, context):
        return [] if context.settings["state"] == "down" else super().survey(resource, context)


class Hasty(Good):
    """Gives what came before the break as the whole."""

    def fetch(self, resource, requests, context):
        state = context.settings["state"]
        for request in requests:
            page = self.pages(context).get(request.unit.key, [])
            yield self.batch(
                request, page[:1] if state in {"broken", "throttled"} else page, context
            )


class Timid(Good):
    """Takes nothing there for an error."""

    def survey(self, resource, context):
        if context.settings["state"] == "empty":
            raise SourceError("no pages")
        return super().survey(resource, context)


class Impatient(Good):
    """Gives no more rows when the clock runs ahead."""

    def pages(self, context):
        return super().pages(context) if context.now.year < 2025 else {"a": []}


def tomorrow(rows, context):
    instant = (context.now + timedelta(days=1)).astimezone(UTC).replace(tzinfo=None)
    return pa.array([instant] * rows.num_rows, pa.timestamp("us"))


class Keyed(Good):
    """Asked by symbol and interval."""

    resources = (replace(RESOURCE, requires=("symbol",), mode="merge"),)

    def pages(self, context):
        return {"AAA": HEALTHY["a"]}

    def fetch(self, resource, requests, context):
        for request in requests:
            page = [
                row
                for row in self.pages(context).get(request.unit.key, [])
                if isinstance(row, str) or request.from_date <= row[1] < request.to_date
            ]
            yield self.batch(request, page, context)


class Generous(Keyed):
    """Gives more than was asked."""

    def fetch(self, resource, requests, context):
        return super().fetch(
            resource, [replace(r, to_date=r.to_date + timedelta(days=5)) for r in requests], context
        )


class Raising(Good):
    """Cannot say what it lacks."""

    def missing_setting(self, resource, context):
        return None if context.settings["state"] else "state"


class Undescribed(Good):
    """Says nothing of a column."""

    resources = (replace(RESOURCE, columns=(*COLUMNS[:2], Column("price", "DOUBLE", ""))),)


class Astray(Good):
    """Names a folder that is not there."""

    sql_folder = "nowhere"
