# SPDX-License-Identifier: Apache-2.0
"""What a home is worked with: its settings, sources and models as one value that does not change.

What tells files and settings from what they were: of directories for speed, of contents for truth.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ttapi.config import Settings, bundled_folder, load_settings
from ttapi.errors import UsageError
from ttapi.home import entries_below, read_file
from ttapi.market.calendar import parse_ttl
from ttapi.models.model_cache import (
    StatementCache,
    parser_version,
    readings_from,
    shipped_readings,
)
from ttapi.refresh.datasets import SourceResource, after_what_it_completes
from ttapi.sources.discovery import InstalledSource, installed_sources, source_fingerprint
from ttapi.store.files import read_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.errors import ModelError
    from ttapi.home import Home
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model_cache import AnalysisCache
    from ttapi.sources.contract import Source

_WHERE_OR_WHO = re.compile(
    r"(^|_)(path|file|url|host|port|secret|token|login|password|per_s|in_flight|up_s)$"
)

FolderStamp = tuple[tuple[str, int, int, int], ...]
"""Path, inode, time of any change and size of some files; zeros of what cannot be looked at."""

Part = TypeVar("Part")


def folder_stamp(folders: Iterable[Path], ending: str) -> FolderStamp:
    """The files below `folders` whose names end so, as their directories tell them apart."""
    paths = [path for folder in folders for path in entries_below(folder, ending)]
    return tuple(sorted((str(path), *_looks(path)) for path in paths))


def _looks(path: Path) -> tuple[int, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    # Of a file that may be read from here on only this time is another.
    return facts.st_ino, facts.st_ctime_ns, facts.st_size


def models_fingerprint(folders: Iterable[Path]) -> str:
    """Hash of the contents of every model file below `folders`, and of the code that builds them."""
    code = Path(__file__).parent.parent / "models"
    digest = hashlib.blake2b(digest_size=16)
    for folder, ending in [*((folder, ".sql") for folder in folders), (code, ".py")]:
        digest.update(_contents_digest(folder, folder_stamp([folder], ending)))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _contents_digest(folder: Path, stamp: FolderStamp) -> bytes:
    """Hash of the files of `stamp`, by their names below `folder`; read once while they stay as they are."""
    digest = hashlib.blake2b(digest_size=16)
    for path, *_ in stamp:
        file = Path(path)
        digest.update(f"{folder.name}/{file.relative_to(folder)}\0".encode())
        try:
            digest.update(read_file(file))
        except OSError as exc:
            # Left out by whoever reads it; when it can be read, this is another hash.
            digest.update(f"\0{exc.strerror}".encode())
    return digest.digest()


def settings_fingerprint(settings: Mapping[str, str]) -> str:
    """Of the settings that change what is read, not of where it lies or how one logs in."""
    relevant = sorted((k, v) for k, v in settings.items() if not _WHERE_OR_WHO.search(k))
    return hashlib.blake2b(repr(relevant).encode(), digest_size=4).hexdigest()


class InstallationCache:
    """Parts of the installation a home had last, for the next statement: each until its stamp differs."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[object, Any]] = {}

    def part(self, name: str, stamp: object, make: Callable[[], Part]) -> Part:
        """The part called `name` as it was made for this `stamp`, or made now."""
        held = self._held.get(name)
        if held is None or held[0] != stamp:
            held = self._held[name] = (stamp, make())
        found: Part = held[1]
        return found


@dataclass(frozen=True, eq=False)
class Installation:
    """Settings, sources and models of a home; what takes time is read when first asked for."""

    home: Home
    settings: Settings
    left_out: Mapping[str, ModelError] = field(default_factory=dict)
    """Models, and checks by file, that the engine refused since: they and their readers are not there."""
    cache: InstallationCache = field(default_factory=InstallationCache, repr=False)

    @cached_property
    def sources(self) -> Sequence[InstalledSource]:
        """Every plugin found, broken ones with their error."""
        folder = self.home.sources
        stamp = folder_stamp([folder], ".py")
        return self.cache.part("sources", stamp, lambda: installed_sources(folder))

    @cached_property
    def resources(self) -> Mapping[str, SourceResource]:
        """What the sources offer, by dataset name.

        *Raises* UsageError for a section of `ttapi.toml` that no source knows.
        """
        names = [installed.name for installed in self.sources]
        # One that does not load could not say what it is called: the section may be its own.
        is_complete = all(installed.error is None for installed in self.sources)
        for named in self.settings.named_sources:
            if is_complete and named not in names and named not in self._sources_before():
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

    def _sources_before(self) -> set[str | None]:
        """Sources that have filled something here, installed or not: a lost one costs its own data alone."""
        from ttapi.refresh.home_state import (  # noqa: PLC0415 - for a section that no source knows
            read_home_state,
        )

        return {one.source for one in read_home_state(self.home).datasets.values()}

    @cached_property
    def source_fingerprints(self) -> Mapping[str, str]:
        """Hash of the code of each source, by its name."""

        def made() -> Mapping[str, str]:
            loaded = [installed.source for installed in self.sources if installed.source]
            return {source.name: source_fingerprint(source) for source in loaded}

        return self.cache.part("code", self.sources, made)

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
    def fingerprint(self) -> str:
        """Hash of every model file and every source, without parsing one: what a file is installed from."""
        models = models_fingerprint(self.folders)
        codes = self.source_fingerprints
        offers = sorted(self.resources.items(), key=after_what_it_completes)
        parts = [f"{name}={codes[offer.source.name]}" for name, offer in offers]
        return hashlib.blake2b("|".join([models, *parts]).encode(), digest_size=16).hexdigest()

    @cached_property
    def graph(self) -> ModelGraph:
        """The models, parsed and checked; a tenth of a second, so only where needed.

        *Raises* ModelError for a wrong one of ttapi's own.
        """
        graph = self.cache.part("graph", self.fingerprint, self._load_graph)
        return graph.without(self.left_out) if self.left_out else graph

    def _load_graph(self) -> ModelGraph:
        from ttapi.models.as_of import (  # noqa: PLC0415 - for whoever loads models
            with_as_of_forms,
        )
        from ttapi.models.graph import ModelFolder, load_graph  # noqa: PLC0415 - so is this
        from ttapi.refresh.home_state import read_home_state  # noqa: PLC0415 - read by whoever loads models

        bundled, *others = self.folders
        folders = [ModelFolder(bundled, is_bundled=True), *map(ModelFolder, others)]
        held = (name for name in read_home_state(self.home).datasets if name.startswith("raw."))
        roots = {*self.resources, *migrated_tables(), *held}
        graph = load_graph(folders, roots, self.analysis_cache)
        resources = {name: offer.resource for name, offer in self.resources.items()}
        return with_as_of_forms(graph, resources, self.analysis_cache)

    @cached_property
    def analysis_cache(self) -> AnalysisCache:
        """What looking through the models told, here and in earlier commands; before any, what is shipped."""
        file = self.home.readings_file

        def read() -> AnalysisCache:
            own = readings_from(read_document(file))
            return own if own.known else shipped_readings()

        return self.cache.part("analysis", file, read)

    @property
    def statement_cache(self) -> StatementCache:
        """What looking through the statements asked last told, as long as models, sources and code stay."""
        made_by = f"{self.fingerprint} {parser_version()}"
        file = self.home.statements_file
        return self.cache.part("statements", made_by, lambda: StatementCache(file, made_by))

    def without(self, error: ModelError) -> Installation:
        """This without the model that the engine refused, and without those that read it.

        *Raises* `error` itself when the model is one of ttapi's own.
        """
        graph = self.graph
        named = [m.name for m in graph.models.values() if m.file == error.file and not m.is_bundled]
        named += [check.file for check in graph.checks if check.file == error.file]
        if not named:
            raise error
        return replace(self, left_out={**self.left_out, named[0]: error})

    def _refuse_unknown_settings(self, source: Source) -> None:
        given = self.settings.sources.get(source.name, {})
        unknown = sorted(set(given) - set(source.setting_names))
        if unknown:
            known = ", ".join(sorted(source.setting_names)) or "none"
            raise UsageError(
                f"[sources.{source.name}] {unknown[0]} is no setting of this source",
                hint=f"known: {known}",
            )


def load_installation(
    home: Home, environ: Mapping[str, str], cache: InstallationCache | None = None
) -> Installation:
    """The installation of `home` as its files are at this moment; `cache`: of the one before.

    *Raises* UsageError for a wrong setting.
    """
    settings = load_settings(home, environ)
    try:
        parse_ttl(settings.max_stale)
    except UsageError as exc:
        told = f"{settings.places['max_stale']} = {exc.message}"
        raise UsageError(told, hint=exc.hint) from exc
    return Installation(home, settings, cache=cache or InstallationCache())


@lru_cache(maxsize=1)
def migrated_tables() -> frozenset[str]:
    """Tables that every file has, whether their source loads or not."""
    from ttapi.store.statements import created_tables  # noqa: PLC0415 - brings the engine

    folder = bundled_folder("migrations")
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.sql"))
    return frozenset(name for text in texts for name in created_tables(text))
