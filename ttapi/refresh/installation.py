# SPDX-License-Identifier: Apache-2.0
"""Everything a command works with: home, settings, sources, models, the instant it takes for now.

What tells files and settings from what they were: of directories for speed, of contents for truth.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.config import Settings, bundled_folder
from ttapi.errors import UsageError
from ttapi.models.model_cache import readings_from
from ttapi.refresh.datasets import (
    Dataset,
    MarketClock,
    PlanInputs,
    SourceResource,
    after_what_it_completes,
    code_of,
    market_clock,
    model_dataset,
    raw_dataset,
)
from ttapi.refresh.home_state import HomeState, read_home_state
from ttapi.sources.contract import BorrowsSettings, Resource, Source, SourceContext
from ttapi.sources.discovery import InstalledSource, guarded, installed_sources, source_fingerprint
from ttapi.sources.traffic import Traffic, refusal_of
from ttapi.store.files import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.errors import ModelError
    from ttapi.home import Home
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model_cache import AnalysisCache
    from ttapi.refresh.coverage import Demand

_WHERE_OR_WHO = re.compile(
    r"(^|_)(path|file|url|host|port|secret|token|login|password|per_s|in_flight|up_s)$"
)

FolderStamp = tuple[tuple[str, int, int, int], ...]
"""Path, inode, time of change and size of some files."""


def folder_stamp(folders: Iterable[Path], ending: str) -> FolderStamp:
    """The files below `folders` whose names end so, as their directories tell them apart."""
    found = []
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(ending):
                facts = entry.stat()
                found.append((entry.path, facts.st_ino, facts.st_mtime_ns, facts.st_size))
            elif entry.is_dir():
                waiting.append(entry.path)
    return tuple(sorted(found))


def models_fingerprint(folders: Iterable[Path]) -> str:
    """Hash of the contents of every model file below `folders`, and of the code that builds them."""
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted(folder.rglob("*.sql")):
            digest.update(f"{folder.name}/{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    for path in sorted(Path(__file__).parent.parent.joinpath("models").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def settings_fingerprint(settings: Mapping[str, str]) -> str:
    """Of the settings that change what is read, not of where it lies or how one logs in."""
    told = sorted((k, v) for k, v in settings.items() if not _WHERE_OR_WHO.search(k))
    return hashlib.blake2b(repr(told).encode(), digest_size=4).hexdigest()


class Environment:
    """One command's view of the installation; parts are read when first asked for."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        now: datetime,
        *,
        symbols: frozenset[str] | None = None,
        before: Environment | None = None,
    ) -> None:
        """`before`: one of the same home, whose parts are used again where nothing has changed since."""
        self._before = before
        self.home = home
        self.settings = settings
        self.now = now.astimezone(UTC)
        self.symbols = symbols
        self.traffic: dict[str, Traffic] = {}
        """Accounts of this command's network calls, by source."""

    def forget_before(self) -> None:
        """Let go of the environment whose parts this one uses; what was not looked at is read anew.

        The models are kept: parsing them takes longer than all else.
        """
        if (graph := self._graph_before()) is not None:
            self.graph = graph
        self._before = None

    def _graph_before(self) -> ModelGraph | None:
        before = self._before
        if before is None or "graph" not in before.__dict__:
            return None
        is_same = before.installation_fingerprint == self.installation_fingerprint
        return before.graph if is_same else None

    @cached_property
    def sources(self) -> Sequence[InstalledSource]:
        """Every plugin found, broken ones with their error."""
        if self._before is not None and self._before.source_files == self.source_files:
            return self._before.sources
        return installed_sources(self.home.sources)

    @cached_property
    def source_files(self) -> FolderStamp:
        """The plugin files of the home, as their directory tells them apart."""
        return folder_stamp([self.home.sources], ".py")

    @cached_property
    def resources(self) -> Mapping[str, SourceResource]:
        """Offer by dataset name.

        *Raises* UsageError for a section of `ttapi.toml` that no source knows.
        """
        names = [installed.name for installed in self.sources]
        for named in self.settings.named_sources:
            if named not in names:
                raise UsageError(
                    f"{self.home.settings_file}: no source is called {named!r}",
                    hint=f"installed: {', '.join(sorted(names))}",
                )
        offers: dict[str, SourceResource] = {}
        for installed in self.sources:
            if installed.source is None:
                continue
            self._refuse_unknown_settings(installed.source)
            for resource in installed.source.resources:
                offer = SourceResource(installed.source, resource)
                offers[offer.dataset] = offer
        return offers

    @cached_property
    def folders(self) -> Sequence[Path]:
        """Model folders: the bundled one first, those brought by sources, the user's."""
        brought = [
            installed.source.sql_folder
            for installed in self.sources
            if installed.source is not None and installed.source.sql_folder is not None
        ]
        own = [self.home.sql] if self.home.sql.is_dir() else []
        return [bundled_folder("sql"), *brought, *own]

    @cached_property
    def models_fingerprint(self) -> str:
        """Hash of every model file, without parsing one."""
        if self._before is not None and self._before.model_files == self.model_files:
            return self._before.models_fingerprint
        return models_fingerprint(self.folders)

    @cached_property
    def model_files(self) -> FolderStamp:
        """The model files, as their directories tell them apart."""
        return folder_stamp(self.folders, ".sql")

    @cached_property
    def installation_fingerprint(self) -> str:
        """Hash of every model file and every source: what the file was last installed from."""
        parts = [self.models_fingerprint]
        parts += [f"{name}={code_of(d.fingerprint)}" for name, d in self.raw_datasets.items()]
        return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()

    @cached_property
    def home_state(self) -> HomeState:
        """What the last refresh left in `live/state.json`."""
        if self._before is not None and self._before.state_file == self.state_file:
            return self._before.home_state
        return read_home_state(self.home)

    @cached_property
    def state_file(self) -> FolderStamp:
        """`live/state.json`, as its directory tells it apart."""
        return folder_stamp([self.home.live], "state.json")

    @cached_property
    def moment(self) -> MarketClock:
        """The instant this command takes for now, with the market clock."""
        return market_clock(self.now)

    @cached_property
    def graph(self) -> ModelGraph:
        """The models, parsed and checked; a tenth of a second, so only where needed.

        *Raises* ModelError for a wrong one of ttapi's own.
        """
        if (graph := self._graph_before()) is not None:
            return graph
        from ttapi.models.as_of_form import (  # noqa: PLC0415 - sqlglot takes 0.12 s
            with_as_of_forms,
        )
        from ttapi.models.graph import ModelFolder, load_graph  # noqa: PLC0415

        bundled, *others = self.folders
        folders = [ModelFolder(bundled, is_bundled=True), *map(ModelFolder, others)]
        graph = load_graph(folders, {*self.resources, *_migrated_tables()}, self.analysis_cache)
        resources = {name: offer.resource for name, offer in self.resources.items()}
        graph = with_as_of_forms(graph, resources, self.analysis_cache)
        # Only the engine could refuse these, and it did.
        known = {*graph.models, *(check.file for check in graph.checks)}
        refused = {name: e for name, e in self._left_broken.items() if name in known}
        return graph.without(refused) if refused else graph

    @cached_property
    def analysis_cache(self) -> AnalysisCache:
        """What looking through the models told, here and in earlier commands."""
        return readings_from(read_document(self.home.readings_file))

    @property
    def broken(self) -> Mapping[str, ModelError]:
        """The models of plugins and the user that were left out, and why; see `ModelGraph.broken`."""
        if "graph" not in self.__dict__ and self._is_installed:
            return self.home_state.broken
        return self.graph.broken

    def without(self, error: ModelError) -> None:
        """Go on without the model that the engine refused, and without those that read it.

        *Raises* `error` itself when the model is one of ttapi's own.
        """
        graph = self.graph
        named = [m.name for m in graph.models.values() if m.file == error.file and not m.is_bundled]
        named += [check.file for check in graph.checks if check.file == error.file]
        if not named:
            raise error
        self.graph = graph.without({named[0]: error})
        self.__dict__.pop("datasets", None)

    @property
    def _is_installed(self) -> bool:
        """Whether the file was last installed from the models and sources as they are."""
        return self.home_state.fingerprint == self.installation_fingerprint

    @property
    def _left_broken(self) -> Mapping[str, ModelError]:
        return self.home_state.broken if self._is_installed else {}

    @cached_property
    def raw_datasets(self) -> Mapping[str, Dataset]:
        """The declared raw datasets."""
        before = self._before
        if before is not None and (before.settings, before.sources) == (
            self.settings,
            self.sources,
        ):
            return before.raw_datasets
        found: dict[str, Dataset] = {}
        fingerprints: dict[str, str] = {}
        for name, offer in sorted(self.resources.items(), key=after_what_it_completes):
            source, resource = offer.source, offer.resource
            if source.name not in fingerprints:
                code, settings = source_fingerprint(source), self.context(source).settings
                fingerprints[source.name] = f"{code}.{settings_fingerprint(settings)}"
            missing = self._missing_setting(source, resource)
            found[name] = raw_dataset(offer, fingerprints[source.name], missing)
        return found

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset in build order: raw first, then models.

        What the last refresh left is used where no model and no source has changed since: parsing
        the models takes longer than all else a fresh query needs.
        """
        before, left = self._before, self.home_state
        if (
            before is not None
            and before.raw_datasets is self.raw_datasets
            and before.home_state is left
            and before.installation_fingerprint == self.installation_fingerprint
        ):
            return before.datasets
        found = dict(self.raw_datasets)
        if self._is_installed:
            models = {name: d for name, d in left.datasets.items() if d.kind != "raw"}
            return found | models
        from ttapi.models.flows import pushdown_infos  # noqa: PLC0415 - sqlglot takes 0.12 s

        graph = self.graph
        roots = {name: d.columns for name, d in self.raw_datasets.items()}
        flows = pushdown_infos(graph, roots, self.analysis_cache)
        for name, model in graph.models.items():
            upstreams = frozenset(u for u in graph.upstreams[name] if u in found)
            found[name] = model_dataset(model, flows[name], upstreams, found)
        return found

    def held(self, demands: Mapping[str, Demand] | None = None) -> PlanInputs:
        """What a plan must know of slices, for these demands."""
        wanted = demands or {}
        is_unbound = any(
            self.raw_datasets[name].requires and (name not in wanted or wanted[name].keys is None)
            for name in self.raw_datasets
        )
        universe = self.default_universe if is_unbound else None
        left = self.home_state
        return PlanInputs(wanted, left.with_absences(left.slices), universe)

    @cached_property
    def default_universe(self) -> frozenset[str] | None:
        """Members of `[universe] default`: a list's name, or symbols with commas between; None: not set.

        *Raises* UsageError for a list nobody knows.
        """
        text = (self.settings.universe_default or "").strip()
        return self.members(text) if text else None

    def members(self, universe: str) -> frozenset[str]:
        """Symbols of the list called `universe`, or those it spells out with commas.

        *Raises* UsageError for a list nobody knows.
        """
        if "," in universe:
            return frozenset(part.strip().upper() for part in universe.split(",") if part.strip())
        from ttapi.store.reader import read_rows  # noqa: PLC0415 - brings the engine

        rows = read_rows(
            self.home, "select distinct symbol from universes where name = ?", [universe]
        )
        if not rows:
            raise UsageError(
                f"no universe is called {universe!r}",
                hint="select distinct name from universes lists them, ttapi refresh watchlists brings"
                " the vendor's; A,B,C spells one out",
            )
        return frozenset(row[0] for row in rows)

    def context(self, source: Source) -> SourceContext:
        """What `source` is handed: its own settings, those it borrows, this command's instant."""
        named = source.borrows if isinstance(source, BorrowsSettings) else ()
        borrowed = {name: self._context(name, {}) for name in named}
        return self._context(source.name, borrowed)

    def _context(self, source: str, borrowed: Mapping[str, SourceContext]) -> SourceContext:
        return SourceContext(
            settings=self.settings.sources.get(source, {}),
            now=self.now,
            symbols=self.symbols,
            home=self.home.root,
            traffic=self._account_of(source),
            borrowed=borrowed,
        )

    def _account_of(self, source: str) -> Traffic:
        if source not in self.traffic:
            refusal = refusal_of(self.home_state.traffic.get(source))
            self.traffic[source] = Traffic(refusal=refusal)
        return self.traffic[source]

    def _missing_setting(self, source: Source, resource: Resource) -> str | None:
        with guarded(source.name):
            return source.missing_setting(resource, self.context(source))

    def _refuse_unknown_settings(self, source: Source) -> None:
        given = self.settings.sources.get(source.name, {})
        unknown = sorted(set(given) - set(source.setting_names))
        if unknown:
            known = ", ".join(sorted(source.setting_names)) or "none"
            raise UsageError(
                f"[sources.{source.name}] {unknown[0]} is no setting of this source",
                hint=f"known: {known}",
            )


def _migrated_tables() -> set[str]:
    """Tables that every file has, whether their source loads or not."""
    from ttapi.store.statements import created_tables  # noqa: PLC0415 - brings the engine

    folder = bundled_folder("migrations")
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.sql"))
    return {name for text in texts for name in created_tables(text)}
