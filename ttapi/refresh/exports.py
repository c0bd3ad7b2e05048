# SPDX-License-Identifier: Apache-2.0
"""`[export] datasets` written again after a publication that changed them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.refresh.planning.planner import closure
from ttapi.store.database import open_store
from ttapi.store.engine import as_timestamp
from ttapi.store.export import ExportRequest, export_changed
from ttapi.store.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.refresh.workspace import Workspace
    from ttapi.store.export import ExportFormat, ExportOutcome

log = logging.getLogger(__name__)

_FAILED = "export failed"


def export_after_publication(
    workspace: Workspace, changed: Iterable[str], *, load_id: int
) -> Sequence[ExportOutcome]:
    """Write the configured relations that read something in `changed`, in a child process.

    A failure becomes a row of `health` and fails nothing.
    """
    requests = _requests(workspace, frozenset(changed))
    outcomes = export_changed(workspace.home, requests)
    failures = [outcome for outcome in outcomes if outcome.error]
    for failure in failures:
        log.warning(_FAILED, extra={"relation": failure.relation, "error": failure.error})
    if failures:
        _note(workspace, failures, load_id)
    return outcomes


def export_formats(names: Iterable[str]) -> list[ExportFormat]:
    """The formats meant by `names`.

    *Raises* UsageError for anything but parquet and csv.
    """
    found: list[ExportFormat] = []
    for name in names:
        match name.strip().lower():
            case "parquet":
                found.append("parquet")
            case "csv":
                found.append("csv")
            case _:
                raise UsageError(
                    f"{name.strip()!r} is no export format", hint="parquet, csv, or parquet,csv"
                )
    return found


def _requests(workspace: Workspace, changed: frozenset[str]) -> list[ExportRequest]:
    settings, datasets = workspace.settings, workspace.datasets
    # A relation nobody knows is asked for too: its failure is what the user must see.
    wanted = [
        relation
        for relation in settings.export_datasets
        if relation not in datasets or closure(datasets, [relation]) & changed
    ]
    formats = export_formats(settings.export_formats)
    return [ExportRequest(relation, one) for relation in wanted for one in formats]


def _note(workspace: Workspace, failures: Sequence[ExportOutcome], load_id: int) -> None:
    with open_store(workspace.home, command="ttapi export", now=workspace.now) as store:
        with store.transaction() as cursor:
            cursor.execute("delete from catalog.notes where code = ?", [_FAILED])
            for failure in failures:
                cursor.execute(
                    "insert into catalog.notes values (?, ?, ?, ?, ?, ?)",
                    [
                        failure.relation,
                        failure.format,
                        _FAILED,
                        failure.error,
                        load_id,
                        as_timestamp(workspace.now),
                    ],
                )
        publish(store, keep=workspace.settings.snapshots_kept)
