# SPDX-License-Identifier: Apache-2.0
"""The source `rates`: the one interest rate that stands in where no table of rates was loaded."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ttapi.sources.contract import SourceContext, UnitRequest

DEFAULT = 0.04
"""Continuous, a year: a guess for whoever sets nothing, which `is_default` says it is."""

CONSTANT_RATE = Resource(
    name="constant_rate",
    table="constant_rates",
    about="The one interest rate that stands in where no table of rates was loaded.",
    columns=(
        Column("rate", "DOUBLE", "fraction a year, continuous, of 365 days"),
        Column("is_default", "BOOLEAN", "true: nobody set it"),
    ),
    grain=("rate",),
    ttl="7d",
    is_local=True,
    licence="shared",
    is_timeless=True,
    one_of="rates",
)


class RatesSource:
    """One interest rate for every day and tenor, until the source `files` brings a table of them.

    Settings: `constant` a fraction a year, continuous (default 0.04).
    """

    name = "rates"
    about = "One interest rate for every day and tenor, where no table of rates was loaded"
    version = "1"
    resources: tuple[Resource, ...] = (CONSTANT_RATE,)
    setting_names = ("constant",)
    sql_folder: Path | None = None

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:  # noqa: ARG002 - contract
        """None: it has a default."""
        return None

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:  # noqa: ARG002 - contract
        """The one unit. *Raises* UsageError for a rate that is none."""
        told = repr(_constant(context)).encode()
        # A setting has no time of change: a number of its content shows a change in a listing.
        stamp = int.from_bytes(hashlib.blake2b(told, digest_size=6).digest())
        return [Unit(self.name, mtime_ns=stamp)]

    def fetch(
        self,
        resource: Resource,  # noqa: ARG002 - there is one
        requests: Sequence[UnitRequest],
        context: SourceContext,
    ) -> Iterator[Batch]:
        """One batch of one row."""
        yield from (_batch(request, *_constant(context)) for request in requests)


def _constant(context: SourceContext) -> tuple[float, bool]:
    """The rate, and whether nobody set it."""
    text = context.settings.get("constant", "").strip()
    if not text:
        return DEFAULT, True
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not abs(rate) <= 1:
        raise UsageError(
            f"[sources.rates] constant = {text!r} is no rate",
            hint="a fraction a year: 0.04 for 4 percent",
        )
    return rate, False


def _batch(request: UnitRequest, rate: float, is_default: bool) -> Batch:
    if request.unit.key != RatesSource.name:
        return Batch((UnitReport(request.unit, error="there is one rate, for every day"),))
    digest = hashlib.blake2b(repr((rate, is_default)).encode(), digest_size=16).hexdigest()
    if digest == request.known_hash:
        return Batch((UnitReport(request.unit, digest, is_unchanged=True),))
    import pyarrow as pa  # noqa: PLC0415 - declarations are read without it

    report = UnitReport(request.unit, digest, rows_in=1, rows_accepted=1, has_duplicates=False)
    rows = pa.table(
        {
            "rate": pa.array([rate], pa.float64()),
            "is_default": pa.array([is_default], pa.bool_()),
            "unit": pa.array([0], pa.int32()),
            "line": pa.array([None], pa.int32()),
            "known_at": pa.array([None], pa.timestamp("us")),
        }
    )
    return Batch((report,), rows)
