# SPDX-License-Identifier: Apache-2.0
"""The file brought to what the code says: raw tables, models, lineage and declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import ModelError
from ttapi.models.build import install_models
from ttapi.models.checks import prove_checks
from ttapi.models.readings import readings_document
from ttapi.refresh.catalog import forget_checks, mark_changed, write_declarations
from ttapi.store.raw_table import ensure_raw_table
from ttapi.store.state import write_document

if TYPE_CHECKING:
    from ttapi.refresh.workspace import Workspace
    from ttapi.store.database import Store


def install(store: Store, workspace: Workspace) -> bool:
    """Raw tables, models and declarations as the code says; False when the file has them.

    A model of a plugin or the user that the engine refuses is left out.

    *Raises* ModelError for one of ttapi's own, UsageError: nothing is changed then.
    """
    with store.reading() as cursor:
        found = cursor.execute(
            "select value from catalog.meta where name = 'models_fingerprint'"
        ).fetchall()
    wanted = workspace.installation_fingerprint
    if found and found[0][0] == wanted:
        return False
    while True:
        try:
            _install(store, workspace)
        except ModelError as exc:
            workspace.leave_out(exc)
        else:
            break
    if workspace.readings.is_news:
        write_document(workspace.home.readings_file, readings_document(workspace.readings))
    return True


def _install(store: Store, workspace: Workspace) -> None:
    from ttapi.models.lineage import install_lineage  # noqa: PLC0415 - sqlglot takes 0.2 s and 15 MB

    graph, wanted = workspace.graph, workspace.installation_fingerprint
    resources = {name: offer.resource for name, offer in workspace.offers.items()}
    with store.transaction() as cursor:
        for resource in resources.values():
            ensure_raw_table(cursor, resource)
        install_models(cursor, graph)
        prove_checks(cursor, graph)
        macros = {n: d.columns for n, d in workspace.datasets.items() if d.kind == "macro"}
        install_lineage(cursor, graph, macros)
        write_declarations(cursor, workspace.datasets, graph, resources)
        cursor.execute("delete from catalog.meta where name = 'models_fingerprint'")
        cursor.execute("insert into catalog.meta values ('models_fingerprint', ?)", [wanted])
        forget_checks(cursor, graph)
        mark_changed(cursor)
