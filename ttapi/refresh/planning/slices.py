# SPDX-License-Identifier: Apache-2.0
"""The slices of the catalog: read, and replaced in the transaction that stores their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttapi.refresh.catalog import as_naive, as_utc
from ttapi.refresh.planning.coverage import Rules, Slice, after_asking

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_slices(cursor: Any) -> dict[str, tuple[Slice, ...]]:
    """Slices by dataset."""
    rows = cursor.execute(
        "select dataset, key, asked_at, covered_from, covered_to from catalog.slices order by all"
    ).fetchall()
    found: dict[str, list[Slice]] = {}
    for dataset, key, asked_at, start, end in rows:
        asked = as_utc(asked_at)
        if asked is not None:
            found.setdefault(dataset, []).append(Slice(key, asked, (start, end)))
    return {dataset: tuple(slices) for dataset, slices in found.items()}


def write_asked(
    cursor: Any, dataset: str, asked: Iterable[Slice], *, rules: Rules, load_id: int
) -> None:
    """Note that each of `asked` was answered, joined with what was asked of its key before."""
    latest = list(asked)
    keys = sorted({one.key for one in latest})
    rows = cursor.execute(
        "select key, asked_at, covered_from, covered_to from catalog.slices"
        " where dataset = ? and key in (select unnest(?))",
        [dataset, keys],
    ).fetchall()
    held: dict[str, list[Slice]] = {key: [] for key in keys}
    for key, naive, start, end in rows:
        if (instant := as_utc(naive)) is not None:
            held[key].append(Slice(key, instant, (start, end)))
    for one in latest:
        held[one.key] = list(after_asking(held[one.key], one, rules))
    kept = [one for slices in held.values() for one in slices]
    cursor.execute(
        "delete from catalog.slices where dataset = ? and key in (select unnest(?))",
        [dataset, keys],
    )
    cursor.execute(
        "insert into catalog.slices"
        " select ?, unnest(?), unnest(?::date[]), unnest(?::date[]), unnest(?::timestamp[]), ?",
        [
            dataset,
            [one.key for one in kept],
            [one.span[0] for one in kept],
            [one.span[1] for one in kept],
            [as_naive(one.asked_at) for one in kept],
            load_id,
        ],
    )


def forget_slices(cursor: Any, dataset: str) -> None:
    """Drop the slices of `dataset`: it was asked as a whole, or its code changed."""
    cursor.execute("delete from catalog.slices where dataset = ?", [dataset])
