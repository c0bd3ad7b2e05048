# SPDX-License-Identifier: Apache-2.0
"""What the source `files` can take: one entry of SPECS is one resource.

An entry declares the raw table, which columns a file must have, what they may be called, what is
filled in, which rows are refused and when a row was known. Polars is imported where rows are
judged, so that resources can be listed without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.sources.contract import Column, Resource
from ttapi.sources.files import actions, option_quotes, rates, universes
from ttapi.sources.folder import FilePlace, bare_name, symbol_of_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import polars as pl


@dataclass(frozen=True)
class ResourceSpec:
    """One resource, and how rows of any file become rows of it."""

    resource: Resource
    required: tuple[tuple[str, ...], ...]
    """Of each group at least one column must be in a file."""
    complete: Callable[[pl.DataFrame, FilePlace], pl.DataFrame]
    """Typed rows and where they come from in, the same rows out with what can be concluded filled in."""
    refusal: Callable[[pl.DataFrame], pl.Series]
    """Completed rows in, per row why it is refused, or null."""
    known_at: Callable[[pl.DataFrame, datetime], pl.Series]
    """Accepted rows in, per row when the market knew it, or null for when it is loaded."""
    inputs: tuple[Column, ...] = ()
    """Columns a file may have beside those that are stored: for `complete` to conclude from."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of columns, as `bare_name` gives them."""
    stem_column: str | None = None
    """The column that the file's name stands for where the file has none of its name."""
    symbol_of_place: Callable[[FilePlace], str | None] | None = None
    """The symbol that the place of a file names where its rows name none; None: places say nothing."""

    @property
    def targets(self) -> Mapping[str, str]:
        """The column that each bare name means."""
        columns = (*self.resource.columns, *self.inputs)
        return {bare_name(column.name): column.name for column in columns} | dict(self.aliases)


SPECS: tuple[ResourceSpec, ...] = (
    ResourceSpec(
        resource=Resource(
            name="corporate_actions",
            table="corporate_actions",
            about="Splits and cash dividends by ex-date.",
            columns=(
                Column("symbol", "VARCHAR", "the ticker in upper case, / as ."),
                Column("ex_date", "DATE", "first session without the right"),
                Column("last_cum_date", "DATE", "last session with the right; null: not given"),
                Column("kind", "VARCHAR", "split or dividend"),
                Column("ratio", "DOUBLE", "new shares per old share; null: a dividend"),
                Column("cash", "DOUBLE", "USD per share on that date's share basis; null: a split"),
            ),
            # A regular and a special dividend can share an ex-date, and both count.
            grain=("symbol", "ex_date", "kind", "cash"),
            keys=("symbol",),
            time_column="ex_date",
            is_local=True,
        ),
        required=(("ex_date", "last_cum_date"), ("kind",)),
        complete=actions.complete,
        refusal=actions.refusal,
        known_at=actions.known_at,
        aliases={"newsharesperold": "ratio", "cashusd": "cash", "ticker": "symbol"},
        stem_column="symbol",
    ),
    ResourceSpec(
        resource=Resource(
            name="universes",
            table="universes",
            about="Lists of symbols, with the dates they belong.",
            columns=(
                Column("name", "VARCHAR", "what the list is called"),
                Column("symbol", "VARCHAR", "the ticker in upper case, / as ."),
                Column("valid_from", "DATE", "first date on the list; null: always"),
                Column("valid_to", "DATE", "first date no longer on it; null: still is"),
            ),
            grain=("name", "symbol", "valid_from"),
            keys=("name",),
            is_local=True,
        ),
        required=(("symbol",),),
        complete=universes.complete,
        refusal=universes.refusal,
        known_at=universes.known_at,
        aliases={"ticker": "symbol"},
        stem_column="name",
    ),
    ResourceSpec(
        resource=option_quotes.OPTION_QUOTES,
        inputs=option_quotes.INPUTS,
        required=option_quotes.REQUIRED,
        complete=option_quotes.complete,
        refusal=option_quotes.refusal,
        known_at=option_quotes.known_at,
        aliases=option_quotes.ALIASES,
        symbol_of_place=symbol_of_place,
    ),
    ResourceSpec(
        resource=Resource(
            name="rates",
            table="rates",
            about="Interest rates by date and tenor.",
            columns=(
                Column("date", "DATE", "the day the rate holds for"),
                Column("tenor_days", "INTEGER", "calendar days it is lent for"),
                Column("rate", "DOUBLE", "fraction a year, continuous, of 365 days"),
            ),
            grain=("date", "tenor_days"),
            time_column="date",
            is_local=True,
            one_of="rates",
        ),
        inputs=(Column("tenor", "VARCHAR", "days, or 3M, 1Y"),),
        required=(("date",), ("tenor", "tenor_days"), ("rate",)),
        complete=rates.complete,
        refusal=rates.refusal,
        known_at=rates.known_at,
        aliases={"tenordays": "tenor", "days": "tenor", "maturity": "tenor"},
    ),
)


def spec_of(resource: Resource) -> ResourceSpec:
    """The entry of a resource."""
    return next(spec for spec in SPECS if spec.resource.name == resource.name)
