# SPDX-License-Identifier: Apache-2.0
"""What one statement works with: the installation, what the last refresh left, the instant, the symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ttapi.errors import TtapiError, UsageError
from ttapi.refresh.datasets import (
    Dataset,
    MarketClock,
    PlanInputs,
    after_what_it_completes,
    market_clock,
    model_dataset,
    raw_dataset,
)
from ttapi.refresh.home_state import HomeState, read_home_state
from ttapi.refresh.installation import folder_stamp, settings_fingerprint
from ttapi.sources.contract import BorrowsSettings, Resource, Source, SourceContext
from ttapi.sources.discovery import guarded
from ttapi.sources.traffic import NetworkAccounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ttapi.clock import Clock
    from ttapi.config import Settings
    from ttapi.errors import ModelError
    from ttapi.home import Home
    from ttapi.models.graph import ModelGraph
    from ttapi.refresh.coverage import Demand
    from ttapi.refresh.datasets import SourceResource
    from ttapi.refresh.installation import Installation
    from ttapi.sources.discovery import InstalledSource


_GONE = "not installed any more"


@dataclass(frozen=True, eq=False)
class Environment:
    """An installation at an instant, in the state that the last refresh left; made once a statement."""

    installation: Installation
    home_state: HomeState
    """What the last refresh left in `live/state.json`."""
    clock: MarketClock
    """The instant taken for now, with the market clock."""
    symbols: frozenset[str] | None = None
    """What `--symbols` and `--list` name; None: nothing was named."""

    @property
    def home(self) -> Home:
        """The home worked on."""
        return self.installation.home

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self.installation.settings

    @property
    def now(self) -> datetime:
        """The instant taken for now, zone-aware UTC."""
        return self.clock.now

    @property
    def sources(self) -> Sequence[InstalledSource]:
        """Every plugin found, broken ones with their error."""
        return self.installation.sources

    @property
    def resources(self) -> Mapping[str, SourceResource]:
        """What the sources offer, by dataset name; *raises* as `Installation.resources`."""
        return self.installation.resources

    @property
    def is_installed(self) -> bool:
        """Whether the file was last installed from the models and sources as they are."""
        return self.home_state.fingerprint == self.installation.fingerprint

    @cached_property
    def graph(self) -> ModelGraph:
        """The models, parsed and checked; *raises* as `Installation.graph`."""
        graph = self.installation.graph
        if not self.is_installed:
            return graph
        # Only the engine could refuse these, and it did.
        known = {*graph.models, *(check.file for check in graph.checks)}
        refused = {name: e for name, e in self.home_state.broken.items() if name in known}
        return graph.without(refused) if refused else graph

    @property
    def broken(self) -> Mapping[str, ModelError]:
        """The models of plugins and the user that were left out, and why; see `ModelGraph.broken`."""
        return self.home_state.broken if self._is_left_as_is else self.graph.broken

    @property
    def _is_left_as_is(self) -> bool:
        """Whether what the last refresh left of the models holds."""
        return self.is_installed and not self.installation.left_out

    @cached_property
    def raw_datasets(self) -> Mapping[str, Dataset]:
        """The declared raw datasets, what completes another after it; then those whose source is lost."""
        stamp = (self.settings, self.sources)
        declared = self.installation.cache.part("raw datasets", stamp, self._make_raw_datasets)
        errors = {installed.name: installed.error for installed in self.sources if installed.error}
        lost = {
            name: replace(one, lost=f"source {one.source}: {errors.get(str(one.source), _GONE)}")
            for name, one in self.home_state.datasets.items()
            if one.kind == "raw" and name not in declared and name in self.home_state.states
        }
        return {**declared, **lost}

    def _make_raw_datasets(self) -> Mapping[str, Dataset]:
        found: dict[str, Dataset] = {}
        codes = self.installation.source_fingerprints
        for name, offer in sorted(self.resources.items(), key=after_what_it_completes):
            source = offer.source
            settings = settings_fingerprint(self.context(source).settings)
            code = f"{codes[source.name]}.{settings}"
            try:
                missing = self._missing_setting(source, offer.resource)
            except TtapiError as exc:
                found[name] = replace(raw_dataset(offer, code, None), lost=exc.message)
                continue
            found[name] = raw_dataset(offer, code, missing)
        return found

    @cached_property
    def datasets(self) -> Mapping[str, Dataset]:
        """Every dataset in build order: raw first, then models.

        What the last refresh left is used where no model and no source has changed since: parsing
        the models takes longer than all else a fresh query needs.
        """
        if self._is_left_as_is:
            left = self.home_state.datasets.items()
            return {**self.raw_datasets, **{name: d for name, d in left if d.kind != "raw"}}
        stamp = (self.raw_datasets, self.graph, self.installation.left_out)
        return self.installation.cache.part("datasets", stamp, self._analysed_datasets)

    def _analysed_datasets(self) -> Mapping[str, Dataset]:
        from ttapi.models.flows import pushdown_infos  # noqa: PLC0415 - sqlglot takes 0.12 s

        found, graph = dict(self.raw_datasets), self.graph
        roots = {name: d.columns for name, d in self.raw_datasets.items()}
        flows = pushdown_infos(graph, roots, self.installation.analysis_cache)
        for name, model in graph.models.items():
            upstreams = frozenset(u for u in graph.upstreams[name] if u in found)
            found[name] = model_dataset(model, flows[name], upstreams, found)
        return found

    def without(self, error: ModelError) -> Environment:
        """This without the model that the engine refused; *raises* as `Installation.without`."""
        return replace(self, installation=self.installation.without(error))

    def after(self, home_state: HomeState | None) -> Environment:
        """This as it is after a refresh that left that state; None: it left nothing new."""
        return self if home_state is None else replace(self, home_state=home_state)

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

    def accounts(self) -> NetworkAccounts:
        """Accounts for one command's network calls, what the last one was refused in mind."""
        return NetworkAccounts(self.home_state.traffic)

    def context(self, source: Source, accounts: NetworkAccounts | None = None) -> SourceContext:
        """What `source` is handed: its own settings, those it borrows, the instant.

        `accounts`: of the command that asks; None: nothing is asked of the network.
        """
        kept = accounts or self.accounts()
        named = source.borrows if isinstance(source, BorrowsSettings) else ()
        borrowed = {name: self._context(name, kept, {}) for name in named}
        return self._context(source.name, kept, borrowed)

    def _context(
        self, source: str, accounts: NetworkAccounts, borrowed: Mapping[str, SourceContext]
    ) -> SourceContext:
        return SourceContext(
            settings=self.settings.sources.get(source, {}),
            now=self.now,
            symbols=self.symbols,
            home=self.home.root,
            traffic=accounts.of(source),
            borrowed=borrowed,
        )

    def _missing_setting(self, source: Source, resource: Resource) -> str | None:
        with guarded(source):
            return source.missing_setting(resource, self.context(source))


def environment_of(
    installation: Installation, clock: Clock, *, symbols: frozenset[str] | None = None
) -> Environment:
    """The environment of a statement that begins when `clock` is asked here."""
    home = installation.home
    stamp = folder_stamp([home.live], "state.json")
    left = installation.cache.part("home state", stamp, lambda: read_home_state(home))
    return Environment(installation, left, market_clock(clock.now()), symbols)
