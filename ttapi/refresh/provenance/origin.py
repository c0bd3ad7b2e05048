# SPDX-License-Identifier: Apache-2.0
"""The lineage of an installation: read from the published file, raw tables with what fills them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.models.lineage import LineageRow
from ttapi.models.lineage_graph import LineageGraph
from ttapi.models.model import dataset_name
from ttapi.refresh.running.guard import guarded
from ttapi.refresh.running.targets import broken_named
from ttapi.sources.contract import SourceContext

if TYPE_CHECKING:
    from ttapi.models.lineage_graph import Node
    from ttapi.refresh.database import Database
    from ttapi.refresh.workspace import Workspace


@dataclass(frozen=True)
class Filler:
    """What fills a raw table."""

    source: str
    setting: str | None
    """The setting that says where it reads; None: it needs none."""

    @property
    def told(self) -> str:
        """For a person: the source and its setting."""
        return f"source {self.source}" + (
            f", [sources.{self.source}] {self.setting}" if self.setting else ""
        )


def read_lineage(database: Database) -> LineageGraph:
    """The lineage of every relation, models changed since the last refresh included.

    *Raises* what a query does.
    """
    # Through the front door: a model that was just written is installed first.
    rows = database.sql(
        "select relation, column_name, upstream_relation, upstream_column, expression from lineage"
    )
    columns = database.sql(
        "select schema_name, table_name, list(lower(column_name) order by column_index) as names"
        " from duckdb_columns() where database_name = current_database() and not internal group by all"
    )
    return LineageGraph(
        (LineageRow(**row) for row in rows.arrow().to_pylist()),
        {
            dataset_name(r["schema_name"], r["table_name"]): r["names"]
            for r in columns.arrow().to_pylist()
        },
    )


def filler_of(workspace: Workspace, relation: str) -> Filler | None:
    """The source behind a raw table; None where the store itself writes it."""
    offer = workspace.offers.get(relation)
    if offer is None:
        return None
    source = offer.source
    with guarded(source.name):
        setting = source.missing_setting(offer.resource, SourceContext({}, workspace.now))
    return Filler(source.name, setting)


def find_node(lineage: LineageGraph, text: str, workspace: Workspace) -> Node:
    """The relation, or relation and column, that `text` names.

    *Raises* ModelError where it names a model that was left out; UsageError with the nearest name.
    """
    try:
        return lineage.find(text)
    except UsageError:
        name = text.strip().lower().removeprefix("main.").replace('"', "")
        for part in (name, name.rpartition(".")[0]):
            if part and (error := broken_named(workspace, part)):
                raise error from None
        raise
