# SPDX-License-Identifier: Apache-2.0
"""A raw table as it stood at a point in time, as one SELECT.

Rows are never deleted: each says since when it was known and when it stopped being said. Of the
rows of one grain the current one is chosen by the rule the store settles by, with the ledger's
units as they then reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.store.raw_table import quoted, raw_name
from ttapi.store.settle import precedence

if TYPE_CHECKING:
    from collections.abc import Collection

    from ttapi.models.as_of import AsOf
    from ttapi.sources.contract import Resource


def key_of(resource: Resource) -> str | None:
    """The key by which rows may be left out before the current ones are chosen; None: there is none.

    Rows of one grain share it, and its values are texts.
    """
    key = resource.keys[0] if resource.keys else None
    types = {column.name: column.type for column in resource.columns}
    return key if key in resource.grain and types[key] == "VARCHAR" else None


def raw_as_of(resource: Resource, as_of: AsOf, keys: Collection[str] | None) -> str:
    """SELECT of the rows of a raw table that were there at `as_of`, with the columns it has.

    Rows that had been replaced by then are among them, as they are in the table. `keys`: values of
    the resource's key; rows of others are left out. None: all.
    """
    limit = as_of.limit
    is_known = f"rows.known_at <= {limit}"
    if keys is not None:
        listed = ", ".join(as_text(key) for key in sorted(keys))
        is_known += (
            f" and rows.{quoted(str(key_of(resource)))} in ({listed})" if listed else " and false"
        )
    is_standing = f"(rows.replaced_at is null or rows.replaced_at > {limit})"
    current, contested = is_standing, ""
    if resource.grain:
        current += " and coalesce(settled.wins, rows.is_current)"
        contested = _settled(resource, as_of, is_known, is_standing)
    return f"""select
    rows.* replace (
        case when rows.replaced_at <= {limit} then rows.replaced_at end as replaced_at,
        case when rows.replaced_at <= {limit} then rows.replaced_by end as replaced_by,
        {current} as is_current
    )
from {raw_name(resource)} as rows{contested}
where {is_known}
"""


def _settled(resource: Resource, as_of: AsOf, is_known: str, is_standing: str) -> str:
    """The join that says of which rows of a contested grain one was the current one.

    Of two rows of a grain one at most is current today: only where a row stood that is not current
    today can another choice have been made.
    """
    table = raw_name(resource)
    grain = ", ".join(f"rows.{quoted(name)}" for name in resource.grain)
    same = " and ".join(
        f"lost.{quoted(name)} is not distinct from rows.{quoted(name)}" for name in resource.grain
    )
    return f"""
left join (
    select
        rows.rid,
        row_number() over (partition by {grain} order by {precedence(resource)}) = 1 as wins
    from (
        select rows.*, rows.rowid as rid
        from {table} as rows
        where {is_known} and {is_standing}
    ) as rows
    semi join (
        select {grain}
        from {table} as rows
        where {is_known} and {is_standing} and not rows.is_current
    ) as lost
        on {same}
    left join derived.units_asof({as_of.argument}, {as_text(f"raw.{resource.table}")}) as units
        on units.unit_id = rows.unit_id
) as settled
    on settled.rid = rows.rowid"""


def as_text(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
