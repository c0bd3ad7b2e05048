# SPDX-License-Identifier: Apache-2.0
"""A receipt proved again: its query answered from the data as it stood, whatever was loaded since.

The raw layer is shown as of the receipt's last load, the models are laid over it, and stored
tables whose content has moved on are built again from it. The home is only read.

The lineage of an installation: read from the published file, raw tables with what fills them.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.audit.receipt import result_hash
from ttapi.errors import ModelError, QueryError, StoreError, UsageError
from ttapi.formats.values import amount
from ttapi.models.install import create_table
from ttapi.models.lineage import LineageGraph
from ttapi.models.model import dataset_name
from ttapi.models.rebuild import content_version, rebuild_table
from ttapi.refresh.plan import broken_named
from ttapi.sources.contract import SourceContext
from ttapi.sources.discovery import guarded
from ttapi.store.catalog_rows import LineageRow
from ttapi.store.engine import engine_errors
from ttapi.store.past import open_past, read_position, show_raw_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.api.database import Database
    from ttapi.audit.receipt import Receipt
    from ttapi.models.lineage import Node
    from ttapi.models.model import Model
    from ttapi.refresh.environment import Environment


@dataclass(frozen=True)
class Replay:
    """What came of proving a receipt again."""

    is_equal: bool
    reason: str | None
    """Why equality is not proved; None: it is."""
    load_id: int
    """The load the receipt stands at."""
    newest_load_id: int
    generation: int
    """The generation it was proved on."""
    rows: int | None
    """None: the query was not run."""
    rebuilt: Sequence[str]
    """Stored tables built again, because they say something else by now."""
    changed_models: Sequence[str]
    """Models that are not what they were."""


def replay(environment: Environment, receipt: Receipt) -> Replay:
    """Answer the query of `receipt` as of its last load, and compare.

    *Raises* UsageError for a receipt of another database or of a state this one has not reached.
    """
    with closing(open_past(environment.home.public_file)) as connection:
        newest, generation = _require_same_history(connection, receipt)
        changed = _changed_models(environment, receipt)
        told = (receipt.load_id, newest, generation)
        if changed:
            why = f"models changed since: {', '.join(changed)}"
            return Replay(False, why, *told, None, (), changed)
        try:
            rebuilt, unlike = _lay_out(connection, environment, receipt)
            with engine_errors():
                bound = receipt.parameters or None
                table = connection.sql(receipt.sql, params=bound).to_arrow_table()
        except (QueryError, ModelError, StoreError) as exc:
            failure = f"the query fails: {exc.message.splitlines()[0]}"
            return Replay(False, failure, *told, None, (), ())
        is_equal = result_hash(table) == receipt.result_hash
        difference = None if is_equal else _difference(receipt, table.num_rows, unlike)
        return Replay(is_equal, difference, *told, table.num_rows, rebuilt, ())


def _require_same_history(connection: Any, receipt: Receipt) -> tuple[int, int]:
    """The newest load and generation of the attached file, which must hold the receipt's past."""
    with engine_errors():
        connection.execute("use market")
        try:
            position = read_position(
                lambda query: connection.execute(query).fetchall(), receipt.load_id
            )
        finally:
            connection.execute("use memory")
    if position.newest_load_id < receipt.load_id:
        raise UsageError(
            f"the receipt was made after load {receipt.load_id}, and this database has seen"
            f" {position.newest_load_id}",
            hint="it belongs to another home, or this one was restored from before it",
        )
    if position.history != receipt.history:
        raise UsageError(
            f"the receipt was made on another database: the loads up to {receipt.load_id} are not the same",
            hint="name its home with --home",
        )
    return position.newest_load_id, position.generation


def _changed_models(environment: Environment, receipt: Receipt) -> list[str]:
    models = environment.graph.models
    return [
        name
        for name, fingerprint in receipt.models.items()
        if name not in models or models[name].fingerprint != fingerprint
    ]


def _lay_out(
    connection: Any, environment: Environment, receipt: Receipt
) -> tuple[list[str], list[str]]:
    """The models over the past raw layer: tables built again, and those that came out otherwise."""
    resources = {name: offer.resource for name, offer in environment.resources.items()}
    stored = {one.dataset: one for one in receipt.inputs}
    rebuilt: list[str] = []
    unlike: list[str] = []
    show_raw_at(connection, resources, receipt.load_id)
    for name, model in environment.graph.models.items():
        if name not in receipt.models:
            continue
        if model.kind != "table":
            _install(connection, model)
            continue
        with engine_errors():
            version, _ = content_version(connection, f"market.{model.qualified}")
        if version == stored[name].version:
            # What is stored today is what was stored then, to the last value.
            with engine_errors():
                connection.execute(
                    f"create view {model.qualified} as select * from market.{model.qualified}"
                )
            continue
        built_at = stored[name].load_id or receipt.load_id
        if built_at != receipt.load_id:
            show_raw_at(connection, resources, built_at)
        with engine_errors():
            create_table(connection, model)
        rebuilt.append(name)
        if rebuild_table(connection, model, keys=None).version != stored[name].version:
            unlike.append(name)
        if built_at != receipt.load_id:
            show_raw_at(connection, resources, receipt.load_id)
    return rebuilt, unlike


def _install(connection: Any, model: Model) -> None:
    with engine_errors():
        if model.kind == "view":
            connection.execute(f"create view {model.qualified} as {model.body}")
            return
        at = model.body.lower().index(model.stem)
        rest = model.body[at + len(model.stem) :]
        connection.execute(f"create or replace macro {model.qualified}{rest}")


def _difference(receipt: Receipt, rows: int, unlike: Sequence[str]) -> str:
    told = f"the answer differs: {amount(rows, 'row')}"
    told += f", and {receipt.rows:,} then" if rows != receipt.rows else " as then, other values"
    if unlike:
        told += f"; {', '.join(unlike)} did not come out as stored then"
    return told


@dataclass(frozen=True)
class RawSource:
    """What fills a raw table."""

    source: str
    setting: str | None
    """The setting that says where it reads; None: it needs none."""

    @property
    def text(self) -> str:
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


def filler_of(environment: Environment, relation: str) -> RawSource | None:
    """The source behind a raw table; None where the store itself writes it."""
    offer = environment.resources.get(relation)
    if offer is None:
        return None
    source = offer.source
    with guarded(source):
        setting = source.missing_setting(offer.resource, SourceContext({}, environment.now))
    return RawSource(source.name, setting)


def find_node(lineage: LineageGraph, text: str, environment: Environment) -> Node:
    """The relation, or relation and column, that `text` names.

    *Raises* ModelError where it names a model that was left out; UsageError with the nearest name.
    """
    try:
        return lineage.find(text)
    except UsageError:
        name = text.strip().lower().removeprefix("main.").replace('"', "")
        for part in (name, name.rpartition(".")[0]):
            if part and (error := broken_named(environment, part)):
                raise error from None
        raise
