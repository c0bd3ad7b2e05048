# SPDX-License-Identifier: Apache-2.0
"""Which part of which raw dataset can matter to a query: its limits followed down to the roots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ttapi.models.flows import reads_behind
from ttapi.models.limits import replaced
from ttapi.models.readings import Flow
from ttapi.models.resolve import Names
from ttapi.refresh.planning.coverage import Demand, demand_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ttapi.models.limits import Read
    from ttapi.refresh.planning.datasets import Dataset


def names_of(
    datasets: Mapping[str, Dataset],
    *,
    views: Mapping[str, str] | None = None,
    temporary: frozenset[str] = frozenset(),
    schema: str = "main",
    broken: Iterable[str] = (),
) -> Names:
    """What names mean in SQL on this installation, in a session with these objects of its own.

    `broken`: names of models that were left out; who reads one is told so.
    """
    macros = {name.rpartition(".")[2]: name for name, d in datasets.items() if d.kind == "macro"}
    relations = {name: dataset.columns for name, dataset in datasets.items()}
    for name in broken:
        macros.setdefault(name.rpartition(".")[2], name)
        relations.setdefault(name, None)
        # `highs` means derived.highs where nothing else is called so.
        relations.setdefault(name.rpartition(".")[2], None)
    row_wise = frozenset(
        bare for bare, name in macros.items() if name in datasets and datasets[name].is_row_wise
    )
    return Names(relations, macros, views or {}, temporary, schema, row_wise)


def demands_of(reads: Iterable[Read], datasets: Mapping[str, Dataset]) -> dict[str, Demand]:
    """The demand on each raw dataset behind `reads`.

    Every path from a read to a root counts; what two paths want is joined.
    """
    found: dict[str, Demand] = {}
    waiting = [replaced(read, {}, {}) for read in reads]
    visited: set[Read] = set()
    while waiting:
        read = waiting.pop()
        dataset = datasets.get(read.relation)
        if dataset is None or read in visited:
            continue
        visited.add(read)
        if dataset.kind == "raw":
            wanted = demand_of(dict(read.limits), dataset.key, dataset.time_column)
            known = found.get(dataset.name)
            found[dataset.name] = known.joined(wanted) if known else wanted
            continue
        flow = Flow(dataset.columns, dataset.parameters, dataset.reads)
        waiting += [replaced(behind, {}, {}) for behind in reads_behind(read, flow)]
    return found


def restricted(demands: Mapping[str, Demand], symbols: frozenset[str] | None) -> dict[str, Demand]:
    """`demands` for these keys alone; None: as they are."""
    if symbols is None:
        return dict(demands)
    return {name: replace(demand, keys=symbols) for name, demand in demands.items()}
