# SPDX-License-Identifier: Apache-2.0
"""What looking through a model told, kept so that a model that has not changed is not looked through again.

Parsing all models takes seconds, and whoever adds one view changes one of them. What ttapi's own told is
shipped beside them (`scripts/make_analysis.py`), for a home that has no command before it.

The same of statements: a program that asks the same every minute does not wait for the parser.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi.config import bundled_folder
from ttapi.models.limits import (
    NameScope,
    RelationRead,
    Resolution,
    Write,
    reads_from_json,
    reads_to_json,
)
from ttapi.store.files import note_document, read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.models.model import Model


@dataclass(frozen=True)
class PushdownInfo:
    """One relation as readers see it: its columns, and what a limit on them means further up."""

    columns: tuple[str, ...] | None = None
    """Output columns, lower case; None: not known, or a scalar macro."""
    parameters: tuple[str, ...] = ()
    """Of a macro, in order."""
    reads: tuple[RelationRead, ...] = ()
    """Empty for raw tables."""
    is_row_wise: bool = False
    """Of a scalar macro: whether its value is that of one row, no aggregate."""


@dataclass(frozen=True)
class ModelAnalysis:
    """One sound model looked through."""

    relations: frozenset[str]
    """Dataset names it reads, those of its builder among them."""
    functions: frozenset[str]
    """Lower-case names of functions that may be macros."""
    meaning: str | None = None
    """Hash of what its names meant when `flow` was found; None: it was not."""
    flow: PushdownInfo | None = None


@dataclass
class AnalysisCache:
    """Of every model met; those of earlier commands stand for what has not changed since."""

    known: Mapping[str, ModelAnalysis] = field(default_factory=dict)
    """By key of a model."""
    met: dict[str, ModelAnalysis] = field(default_factory=dict)
    """Of these, and what was looked through since, what somebody asked for."""
    known_forms: Mapping[str, str] = field(default_factory=dict)
    """Definitions of as-of forms, by a hash of all that they are made of."""
    met_forms: dict[str, str] = field(default_factory=dict)

    def of(self, model: Model, look: Callable[[], ModelAnalysis]) -> ModelAnalysis:
        """What `look` says of `model`, which is called where nobody has looked. Its errors pass."""
        key = _key_of(model)
        if key not in self.met:
            self.met[key] = self.known[key] if key in self.known else look()
        return self.met[key]

    def flow_of(
        self, model: Model, meaning: object, find: Callable[[], PushdownInfo]
    ) -> PushdownInfo:
        """What `find` says of `model`, whose names mean what `meaning` tells in full."""
        key, told = _key_of(model), _hash(repr(meaning))
        seen = self.met.get(key)
        if seen is not None and seen.flow is not None and seen.meaning == told:
            return seen.flow
        flow = find()
        if seen is not None:
            self.met[key] = replace(seen, meaning=told, flow=flow)
        return flow

    def form_of(self, meaning: object, write: Callable[[], str]) -> str:
        """The as-of form that `write` makes of what `meaning` tells in full. Its errors pass."""
        key = _hash(repr(meaning))
        if key not in self.met_forms:
            self.met_forms[key] = self.known_forms[key] if key in self.known_forms else write()
        return self.met_forms[key]

    @property
    def is_news(self) -> bool:
        """Whether it says something else than what was known."""
        is_same = self.met == self.known and self.met_forms == self.known_forms
        return bool(self.met) and not is_same


SHIPPED = "analysis.json"
"""In the folder of the bundled models: what looking through them and tracing their columns told."""


@cache
def shipped_document() -> dict[str, Any]:
    """What is shipped; empty where the code that looks through models is not the one that told it."""
    file = bundled_folder("sql") / SHIPPED
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if document.get("code") == analyser_code() else {}


def shipped_readings() -> AnalysisCache:
    """What looking through the bundled models told."""
    return _readings(shipped_document())


def readings_document(readings: AnalysisCache) -> dict[str, Any]:
    """What was met, as JSON holds it."""
    return {
        "made_by": analyser_version(),
        "models": {k: _to_json(r) for k, r in readings.met.items()},
        "forms": readings.met_forms,
    }


def readings_from(document: Mapping[str, Any]) -> AnalysisCache:
    """What `readings_document` wrote; nothing where other code wrote it, or something else stands there."""
    return _readings(document if document.get("made_by") == analyser_version() else {})


def _readings(document: Mapping[str, Any]) -> AnalysisCache:
    try:
        models = {key: _from_json(e) for key, e in document.get("models", {}).items()}
        return AnalysisCache(models, known_forms=dict(document.get("forms", {})))
    except (AttributeError, KeyError, TypeError, ValueError):
        return AnalysisCache()


_STATEMENTS_KEPT = 200
_LARGEST_KEPT = 20_000
"""Characters of what is kept of one statement; a longer one is looked through again."""
_NOTED_BY_ONE = 40
"""What one process leaves for those to come, two notes a statement: who asks more has no start to wait for."""


class StatementCache:
    """What looking through the statements asked last told; who reads may write it, without the lock."""

    def __init__(self, file: Path, environment: str) -> None:
        """`environment`: fingerprint of the code and the models that what is kept is true of."""
        self._file = file
        self._made_by = environment
        self._entries: dict[str, Any] | None = None
        self._noted = 0
        self._lock = threading.Lock()  # threads of one program ask side by side

    def resolution(
        self, sql: str, names: NameScope, resolve: Callable[[], Resolution]
    ) -> Resolution:
        """What `resolve` says of `sql`, which is called where nothing is kept. Its errors pass."""
        key = _hash(repr((sql, _meaning_of(names))))
        if (kept := self._find(key)) is not None:
            with suppress(KeyError, TypeError, ValueError):
                return _resolution_from(kept)
        found = resolve()
        self._keep(key, _resolution_document(found))
        return found

    def columns(self, sql: str, find: Callable[[], frozenset[str]]) -> frozenset[str]:
        """The columns that `find` says of `sql`, which is called where nothing is kept."""
        key = _hash(repr((sql, "columns")))
        if isinstance(kept := self._find(key), list):
            return frozenset(map(str, kept))
        found = find()
        self._keep(key, sorted(found))
        return found

    def _find(self, key: str) -> Any:
        """What is kept under `key`; None: nothing."""
        with self._lock:
            if self._entries is None:
                document = read_document(self._file)
                self._entries = {}
                if document.get("made_by") == self._made_by:
                    # Pairs, for they are in order.
                    with suppress(KeyError, TypeError, ValueError):
                        self._entries = dict(document["statements"])
            return self._entries.get(key)

    def _keep(self, key: str, entry: Any) -> None:
        """Keep `entry` as the newest; the first of a process for the processes to come."""
        if len(json.dumps(entry)) > _LARGEST_KEPT:
            return
        with self._lock:
            entries = self._entries = {**(self._entries or {}), key: entry}
            for old in list(entries)[:-_STATEMENTS_KEPT]:
                del entries[old]
            self._noted += 1
            if self._noted <= _NOTED_BY_ONE:
                kept = list(entries.items())
                note_document(self._file, {"made_by": self._made_by, "statements": kept})


def _meaning_of(names: NameScope) -> object:
    """All that what a name means depends on."""
    return (
        sorted(names.relations.items()),
        sorted(names.macros.items()),
        names.schema,
        sorted(names.row_wise),
    )


def _resolution_document(found: Resolution) -> dict[str, Any]:
    return {
        "reads": reads_to_json(found.reads),
        "writes": [[write.name, write.kind, write.is_new] for write in sorted(found.writes)],
        "unresolved": found.unresolved,
        "columns": found.columns,
    }


def _resolution_from(document: Mapping[str, Any]) -> Resolution:
    columns = document["columns"]
    return Resolution(
        reads_from_json(document["reads"]),
        frozenset(Write(*words) for words in document["writes"]),
        tuple(document["unresolved"]),
        None if columns is None else tuple(columns),
    )


@cache
def analyser_version() -> str:
    """Hash of the code that looks through models and installs them, and of the parser's version."""
    return _hash(f"{parser_version()} {analyser_code()}")


@cache
def parser_version() -> str:
    """The version of the parser that is installed, which is not loaded for it."""
    return version("sqlglot")


@cache
def analyser_code() -> str:
    """Hash of the code that looks through models and installs them."""
    code = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.blake2b(b"".join(code)).hexdigest()


def _key_of(model: Model) -> str:
    return f"{model.name} {model.fingerprint} {'bundled' if model.is_bundled else 'own'}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _to_json(reading: ModelAnalysis) -> dict[str, Any]:
    flow = reading.flow
    return {
        "relations": sorted(reading.relations),
        "functions": sorted(reading.functions),
        "meaning": reading.meaning,
        "flow": flow
        and {
            "columns": flow.columns,
            "parameters": flow.parameters,
            "reads": reads_to_json(flow.reads),
            "is_row_wise": flow.is_row_wise,
        },
    }


def _from_json(entry: Mapping[str, Any]) -> ModelAnalysis:
    said = entry["flow"]
    flow = said and PushdownInfo(
        None if said["columns"] is None else tuple(said["columns"]),
        tuple(said["parameters"]),
        reads_from_json(said["reads"]),
        said["is_row_wise"],
    )
    return ModelAnalysis(
        frozenset(entry["relations"]), frozenset(entry["functions"]), entry["meaning"], flow
    )
