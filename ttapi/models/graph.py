# SPDX-License-Identifier: Apache-2.0
"""The models together: read from their folders, their upstreams resolved, in build order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.models.draft import Draft, in_build_order, with_readers
from ttapi.models.readings import Readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.errors import ModelError
    from ttapi.models.draft import ModelFolder
    from ttapi.models.model import CheckModel, Model


@dataclass(frozen=True)
class ModelGraph:
    """All models, with who reads whom."""

    models: Mapping[str, Model]
    """By dataset name, in build order: upstreams first."""
    upstreams: Mapping[str, frozenset[str]]
    """Direct upstream datasets of each model, raw and catalog tables included."""
    checks: Sequence[CheckModel]
    broken: Mapping[str, ModelError] = field(default_factory=dict)
    """What was left out of a plugin's or the user's models, and why: by the name it would have, by
    its file where it would have none of its own. No model here reads one."""

    def without(self, broken: Mapping[str, ModelError]) -> ModelGraph:
        """The graph less the models named in `broken`, and less every model that reads one.

        *Raises* ModelError when that is one of ttapi's own.
        """
        found = with_readers({**self.broken, **broken}, self.models, self.upstreams)
        return ModelGraph(
            {name: model for name, model in self.models.items() if name not in found},
            {name: ups for name, ups in self.upstreams.items() if name not in found},
            tuple(check for check in self.checks if check.file not in found),
            found,
        )

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """`names` and everything they read, to the roots."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self.upstreams.get(name, ()))
        return frozenset(found)

    def descendants(self, names: Iterable[str]) -> frozenset[str]:
        """Every model that reads one of `names`, directly or not; `names` themselves excluded."""
        found: set[str] = set()
        fresh = set(names)
        while fresh:
            fresh = {m for m, ups in self.upstreams.items() if ups & fresh} - found
            found |= fresh
        return frozenset(found - set(names))


def read_graph(
    folders: Sequence[ModelFolder], raw_tables: Iterable[str], readings: Readings | None = None
) -> ModelGraph:
    """Every model below `folders`, checked against each other and against `raw_tables`.

    `raw_tables` are the datasets that exist without a model: `raw.metastock_bars`, `catalog.units`;
    `readings` what was found of the models before, and will have been.
    A wrong file is left out and told in `broken`: one that cannot be read, takes a name twice,
    reads an unknown relation, takes a step to the right in the layers, is part of a circle, or
    holds SQL that older clients could not read.

    *Raises* ModelError for such a file in a bundled folder.
    """
    draft = Draft(frozenset(raw_tables), readings or Readings())
    for folder in folders:
        draft.read(folder)
    draft.connect()
    ordered = in_build_order(draft.models, draft.upstreams)
    models = {name: draft.models[name] for name in ordered}
    return ModelGraph(models, draft.upstreams, tuple(draft.checks), draft.broken)
