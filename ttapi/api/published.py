# SPDX-License-Identifier: Apache-2.0
"""`ttapi.connect()`: the published file as plain DuckDB, with a word on what in it is not fresh."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ttapi.api.database import open_database
from ttapi.refresh.freshness import status_rows
from ttapi.store.reader import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ttapi.refresh.freshness import StatusRow
    from ttapi.store.engine import Connection

_UNFIT = {"missing": "never loaded", "stale": "past their TTL", "failed": "failed"}
"""Verdicts worth a warning, in words."""
_INHERITED = tuple(f"upstream {verdict}:" for verdict in _UNFIT)
"""How reasons begin that are told of an upstream already."""


def connect_published(home: str | Path | None = None) -> Connection:
    """A plain read-only DuckDB connection on the published file; nothing is refreshed.

    Warns once when data was never loaded, or is past its TTL. The caller closes it.

    *Raises* UsageError where nothing is published.
    """
    database = open_database(home)
    environment = database.load_environment()
    connection = open_snapshot(environment.home)
    rows = status_rows(
        environment.datasets,
        environment.home_state.states,
        clock=environment.clock,
        held=environment.held(),
    )
    if told := _unfit(rows):
        warnings.warn(f"{told}; ttapi refresh brings them up to date", stacklevel=2)
    return connection


def _unfit(rows: Iterable[StatusRow]) -> str:
    """What is not up to date, by what is wrong with it; '' where all is well."""
    found: dict[str, list[str]] = {}
    for row in rows:
        # What is stale because of something it reads is told there.
        if row.verdict in _UNFIT and not any(r.startswith(_INHERITED) for r in row.reasons):
            is_partial = "asked in part only" in row.reasons
            found.setdefault("loaded in part" if is_partial else _UNFIT[row.verdict], []).append(
                row.dataset
            )
    return "; ".join(
        f"{what}: {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if names[3:] else "")
        for what, names in found.items()
    )
