# SPDX-License-Identifier: Apache-2.0
"""The models together: read from their folders, their upstreams resolved, in build order."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, QueryError
from ttapi.models.model import CheckModel, Model, macro_parts, read_check, read_model
from ttapi.models.portability import refuse_unportable
from ttapi.models.references import references_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_RANKS = {"catalog": 0, "raw": 0, "staged": 1, "derived": 2, "main": 3}


@dataclass(frozen=True)
class ModelFolder:
    """A folder of model files and whose it is."""

    path: Path
    is_bundled: bool = False


@dataclass(frozen=True)
class ModelGraph:
    """All models, with who reads whom."""

    models: Mapping[str, Model]
    """By dataset name, in build order: upstreams first."""
    upstreams: Mapping[str, frozenset[str]]
    """Direct upstream datasets of each model, raw and catalog tables included."""
    checks: Sequence[CheckModel]

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


def read_graph(folders: Sequence[ModelFolder], raw_tables: Iterable[str]) -> ModelGraph:
    """Every model below `folders`, checked against each other and against `raw_tables`.

    `raw_tables` are the datasets that exist without a model: `raw.metastock_bars`, `catalog.units`.

    *Raises* ModelError: an unreadable file, a name taken twice, an unknown relation, a step to the
    right in the layers, a cycle, SQL that older clients could not read.
    """
    models: dict[str, Model] = {}
    checks: list[CheckModel] = []
    for folder in folders:
        for path in sorted(folder.path.rglob("*.sql")):
            if path.relative_to(folder.path).parts[0] == "checks":
                checks.append(read_check(path, folder.path))
                continue
            model = read_model(path, folder.path, is_bundled=folder.is_bundled)
            if model.name in models:
                raise ModelError(
                    f"{model.name} is already defined by {models[model.name].file}",
                    file=model.file,
                    hint="rename the file",
                )
            models[model.name] = model
    roots = frozenset(raw_tables)
    upstreams = {name: _upstreams(model, models, roots) for name, model in models.items()}
    ordered = _in_build_order(models, upstreams)
    return ModelGraph({name: models[name] for name in ordered}, upstreams, tuple(checks))


def builder_inputs(builder: str) -> Mapping[str, str]:
    """The SELECTs a builder module reads, by the name it knows them by."""
    module = importlib.import_module(builder)
    inputs: Mapping[str, str] = module.INPUTS
    return inputs


def _upstreams(model: Model, models: Mapping[str, Model], roots: frozenset[str]) -> frozenset[str]:
    sql = macro_parts(model).body if model.kind == "macro" else model.body
    try:
        refuse_unportable(model, macro_parts(model) if model.kind == "macro" else None)
        found = references_in(sql)
    except QueryError as exc:
        raise ModelError(
            exc.message, file=model.file, line=_error_line(exc.message, model)
        ) from exc
    macros = {m.stem: m.name for m in models.values() if m.kind == "macro"}
    names = set(found.relations) | {macros[f] for f in found.functions if f in macros}
    names.discard(model.name)
    if model.builder:
        for select in builder_inputs(model.builder).values():
            names |= references_in(select).relations
    for name in sorted(names):
        _require_known(name, model, models, roots)
    return frozenset(names)


def _require_known(
    name: str, model: Model, models: Mapping[str, Model], roots: frozenset[str]
) -> None:
    line = _line_of(name, model)
    if name not in models and name not in roots:
        close = _closest(name, [*models, *roots])
        raise ModelError(
            f"{name!r} is no relation",
            file=model.file,
            line=line,
            hint=f"did you mean {close}?" if close else None,
        )
    rank = _RANKS.get(name.split(".", maxsplit=1)[0] if "." in name else "main", 3)
    if rank > _RANKS[model.schema]:
        raise ModelError(
            f"{model.name} ({model.schema}) reads {name}, a step to the right",
            file=model.file,
            line=line,
            hint=_left_of(name, [*models, *roots]),
        )


def _left_of(name: str, known: Sequence[str]) -> str:
    """The relation further left that says the same, or the order of the layers."""
    for candidate in (f"staged.{name}", f"derived.{name}"):
        if candidate in known:
            return f"read {candidate} instead; the order is raw -> staged -> derived -> main"
    return "raw -> staged -> derived -> main"


def _closest(name: str, known: Sequence[str]) -> str | None:
    import difflib  # noqa: PLC0415 - only on the way to an error

    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _line_of(name: str, model: Model) -> int:
    stem = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b", re.IGNORECASE)
    for offset, line in enumerate(model.body.splitlines()):
        if stem.search(line.split("--")[0]):
            return model.body_line + offset
    return model.body_line


def _error_line(message: str, model: Model) -> int:
    match = re.search(r"Line (\d+)", message)
    return model.body_line + (int(match[1]) - 1 if match else 0)


def _in_build_order(
    models: Mapping[str, Model], upstreams: Mapping[str, frozenset[str]]
) -> list[str]:
    sorter = TopologicalSorter(
        {name: sorted(upstreams[name] & models.keys()) for name in sorted(models)}
    )
    try:
        return list(sorter.static_order())
    except CycleError as exc:
        ring = [str(name) for name in exc.args[1]]
        first = models[ring[0]]
        raise ModelError(
            f"models read each other in a circle: {' -> '.join(ring)}", file=first.file
        ) from exc
