# SPDX-License-Identifier: Apache-2.0
"""The models together: read from their folders, their upstreams resolved, in build order.

Model files read and held against each other: which stand, which are left out and why.

A wrong file of ttapi's own is a defect and raised. A wrong file of a plugin or the user is left
out with everything that reads it, so that the rest works.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, QueryError, did_you_mean
from ttapi.home import entries_below
from ttapi.models.model import (
    CheckModel,
    Model,
    form_asked_for,
    macro_parts,
    named_by,
    read_check,
    read_model,
)
from ttapi.models.model_cache import AnalysisCache, ModelAnalysis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_LINE = re.compile(r", line (\d+)$")
"""How a complaint about the text of a model names a line of it."""
_RANKS = {"catalog": 0, "raw": 0, "staged": 1, "derived": 2, "main": 3}


@dataclass(frozen=True)
class ModelFolder:
    """A folder of model files and whose it is."""

    path: Path
    is_bundled: bool = False


@dataclass
class ModelLoader:
    """Models on their way into a graph."""

    roots: frozenset[str]
    """Datasets that exist without a model."""
    readings: AnalysisCache = field(default_factory=AnalysisCache)
    models: dict[str, Model] = field(default_factory=dict)
    upstreams: dict[str, frozenset[str]] = field(default_factory=dict)
    checks: list[CheckModel] = field(default_factory=list)
    broken: dict[str, ModelError] = field(default_factory=dict)
    """By dataset name; by file where a sound model, or none, has the name."""

    def read(self, folder: ModelFolder) -> None:
        """Add the models and checks below `folder`."""
        for path in entries_below(folder.path, ".sql"):
            relative = path.relative_to(folder.path)
            try:
                _require_listed(path, folder.path)
                if relative.parts[0] == "checks":
                    self.checks.append(read_check(path, folder.path))
                    continue
                model = read_model(path, folder.path, is_bundled=folder.is_bundled)
                form = form_asked_for(model)
                for one in (model, form) if form else (model,):
                    self._refuse_twice(one)
            except ModelError as exc:
                name = named_by(relative)
                is_taken = name is None or name in self.models
                self._leave_out(exc.file if is_taken else str(name), exc, folder.is_bundled)
            else:
                self.models[model.name] = model
                if form:
                    self.models[form.name] = form

    def connect(self) -> None:
        """Find out who reads whom, and leave out what cannot stand."""
        for name, model in list(self.models.items()):
            try:
                self.upstreams[name] = self.upstreams_of(model)
                for upstream in sorted(self.upstreams[name] - self.broken.keys()):
                    _require_known(upstream, model, self.models, self.roots)
            except ModelError as exc:
                self._leave_out(name, exc, model.is_bundled)
        self._open_rings()
        self.broken = with_dependents(self.broken, self.models, self.upstreams)
        for name in self.broken.keys() & self.models.keys():
            del self.models[name]
            self.upstreams.pop(name, None)

    def upstreams_of(self, model: Model) -> frozenset[str]:
        """What `model` reads directly. *Raises* ModelError where its SQL could not be stored."""
        found = self.readings.of(model, partial(_look_through, model))
        macros = {m.stem: m.name for m in self.models.values() if m.kind == "macro"}
        names = found.relations | {macros[f] for f in found.functions if f in macros}
        return names - {model.name}

    def _refuse_twice(self, model: Model) -> None:
        if model.name in self.models:
            raise ModelError(
                f"{model.name} is already defined by {self.models[model.name].file}",
                file=model.file,
                hint="rename the file",
            )

    def _leave_out(self, name: str, error: ModelError, is_bundled: bool) -> None:
        if is_bundled:
            raise error
        self.broken[name] = error

    def _open_rings(self) -> None:
        while True:
            standing = {n: m for n, m in self.models.items() if n not in self.broken}
            try:
                in_build_order(standing, self.upstreams)
            except CycleError as exc:
                ring = [str(name) for name in exc.args[1]]
                text = f"models read each other in a circle: {' -> '.join(ring)}"
                own = [standing[name] for name in ring if not standing[name].is_bundled]
                for model in own or [standing[ring[0]]]:
                    error = ModelError(text, file=model.file)
                    self._leave_out(model.name, error, model.is_bundled)
            else:
                return


def _require_listed(path: Path, folder: Path) -> None:
    """Nothing, or ModelError where `path` stands for the files of a folder that cannot be listed."""
    if path.suffix != ".sql":
        file = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        raise ModelError("this folder cannot be listed", file=file)


def with_dependents(
    broken: Mapping[str, ModelError],
    models: Mapping[str, Model],
    upstreams: Mapping[str, frozenset[str]],
) -> dict[str, ModelError]:
    """`broken` and every model that reads one of them, directly or not, each with its reason.

    *Raises* ModelError when that is one of ttapi's own.
    """
    found = dict(broken)
    fresh = set(broken)
    while fresh:
        readers = {n for n, ups in upstreams.items() if ups & fresh} - found.keys()
        for name in sorted(readers & models.keys()):
            lost = min(upstreams[name] & fresh)
            error = ModelError(
                f"{name} reads {lost}, which is left out ({found[lost].message})",
                file=models[name].file,
                line=_line_of(lost, models[name]),
                hint=found[lost].hint,
            )
            if models[name].is_bundled:
                raise error
            found[name] = error
        fresh = readers & models.keys()
    return found


def in_build_order(
    models: Mapping[str, Model], upstreams: Mapping[str, frozenset[str]]
) -> list[str]:
    """Names of `models`, upstreams first. *Raises* CycleError."""
    sorter = TopologicalSorter(
        {name: sorted(upstreams[name] & models.keys()) for name in sorted(models)}
    )
    return list(sorter.static_order())


def builder_inputs(builder: str) -> Mapping[str, str]:
    """The SELECTs a builder module reads, by the name it knows them by."""
    module = importlib.import_module(builder)
    inputs: Mapping[str, str] = module.INPUTS
    return inputs


def _look_through(model: Model) -> ModelAnalysis:
    from ttapi.models.portability import refuse_unportable  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.models.references import (  # noqa: PLC0415 - so does this
        TOO_DEEP,
        references_in,
    )

    sql = macro_parts(model).body if model.kind == "macro" else model.body
    try:
        refuse_unportable(model, macro_parts(model) if model.kind == "macro" else None)
        found = references_in(sql)
    except QueryError as exc:
        told, line = _LINE.sub("", exc.message), _error_line(exc.message, model)
        raise ModelError(told, file=model.file, line=line) from exc
    except RecursionError as exc:
        raise ModelError(TOO_DEEP, file=model.file, line=model.body_line) from exc
    relations = set(found.relations) - {model.name}
    if model.builder:
        for select in builder_inputs(model.builder).values():
            relations |= references_in(select).relations
    return ModelAnalysis(frozenset(relations), found.functions)


def _require_known(
    name: str, model: Model, models: Mapping[str, Model], roots: frozenset[str]
) -> None:
    if name not in models and name not in roots:
        raise ModelError(
            f"{name!r} is no relation",
            file=model.file,
            line=_line_of(name, model),
            hint=did_you_mean(name, [*models, *roots]),
        )
    rank = _RANKS.get(name.split(".", maxsplit=1)[0] if "." in name else "main", 3)
    if rank > _RANKS[model.schema]:
        raise ModelError(
            f"{model.name} ({model.schema}) reads {name}, a step to the right",
            file=model.file,
            line=_line_of(name, model),
            hint=_left_of(name, [*models, *roots]),
        )


def _left_of(name: str, known: Sequence[str]) -> str:
    """The relation further left that says the same, or the order of the layers."""
    for candidate in (f"staged.{name}", f"derived.{name}"):
        if candidate in known:
            return f"read {candidate} instead; the order is raw -> staged -> derived -> main"
    return "raw -> staged -> derived -> main"


def _line_of(name: str, model: Model) -> int:
    stem = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b", re.IGNORECASE)
    for offset, line in enumerate(model.body.splitlines()):
        if stem.search(line.split("--")[0]):
            return model.body_line + offset
    return model.body_line


def _error_line(message: str, model: Model) -> int:
    match = _LINE.search(message)
    return model.body_line + (int(match[1]) - 1 if match else 0)


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
        found = with_dependents({**self.broken, **broken}, self.models, self.upstreams)
        return ModelGraph(
            {name: model for name, model in self.models.items() if name not in found},
            {name: ups for name, ups in self.upstreams.items() if name not in found},
            tuple(check for check in self.checks if check.file not in found),
            found,
        )

    def with_macro(self, macro: Model, readings: AnalysisCache) -> ModelGraph:
        """The graph with `macro` in place of the one of its name, in the order that follows.

        *Raises* ModelError where its SQL could not be stored.
        """
        draft = ModelLoader(frozenset(), readings, {**self.models, macro.name: macro})
        upstreams = {**self.upstreams, macro.name: draft.upstreams_of(macro)}
        models = {name: draft.models[name] for name in in_build_order(draft.models, upstreams)}
        return ModelGraph(models, upstreams, self.checks, self.broken)

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


def load_graph(
    folders: Sequence[ModelFolder], raw_tables: Iterable[str], readings: AnalysisCache | None = None
) -> ModelGraph:
    """Every model below `folders`, checked against each other and against `raw_tables`.

    `raw_tables` are the datasets that exist without a model: `raw.metastock_bars`, `catalog.units`;
    `readings` what was found of the models before, and will have been.
    A wrong file is left out and told in `broken`: one that cannot be read, takes a name twice,
    reads an unknown relation, takes a step to the right in the layers, is part of a circle, or
    holds SQL that older clients could not read.

    *Raises* ModelError for such a file in a bundled folder.
    """
    draft = ModelLoader(frozenset(raw_tables), readings or AnalysisCache())
    for folder in folders:
        draft.read(folder)
    draft.connect()
    ordered = in_build_order(draft.models, draft.upstreams)
    models = {name: draft.models[name] for name in ordered}
    return ModelGraph(models, draft.upstreams, tuple(draft.checks), draft.broken)
