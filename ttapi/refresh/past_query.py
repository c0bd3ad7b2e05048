# SPDX-License-Identifier: Apache-2.0
"""A query made one about what was known at a point in time: `ttapi sql --as-of T`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ttapi.models.knowledge import rewritten
from ttapi.models.readings import Flow
from ttapi.models.relations_as_of import Installed
from ttapi.refresh.planning.demand import names_of

if TYPE_CHECKING:
    from ttapi.models.as_of import AsOf
    from ttapi.models.knowledge import Rewritten
    from ttapi.refresh.query import QueryRequest
    from ttapi.refresh.workspace import Workspace


def past_query(
    workspace: Workspace, request: QueryRequest, as_of: AsOf
) -> tuple[QueryRequest, Rewritten]:
    """`request` for what was known at `as_of`, and how it was rewritten.

    *Raises* UsageError for another statement than one SELECT, and for a relation without an as-of
    form; ModelError for a relation whose file is wrong.
    """
    installed = installed_at(workspace, request)
    found = rewritten(request.sql, installed, as_of, request.bound)
    return replace(request, sql=found.sql, reads=found.reads, until=as_of.until), found


def installed_at(workspace: Workspace, request: QueryRequest | None = None) -> Installed:
    """What there is to read, in the session that `request` comes from."""
    datasets = workspace.datasets
    return Installed(
        graph=workspace.graph,
        names=names_of(
            datasets,
            views=request.views if request else None,
            temporary=request.temporary if request else frozenset(),
            schema=request.schema if request else "main",
            broken=workspace.broken,
        ),
        flows={name: Flow(d.columns, d.parameters, d.reads) for name, d in datasets.items()},
        resources={name: offer.resource for name, offer in workspace.offers.items()},
    )
