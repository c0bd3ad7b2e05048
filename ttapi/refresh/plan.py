# SPDX-License-Identifier: Apache-2.0
"""Where everything stands before a refresh, what the sources offer, and the plan that follows.

Which datasets a refresh is for: the names a user or a query gave, and the keys they must bind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.errors import (
    SourceDownError,
    TtapiError,
    UnknownNameError,
    UsageError,
    did_you_mean,
)
from ttapi.refresh.coverage import Demand
from ttapi.refresh.datasets import ListingDiff
from ttapi.refresh.planner import closure, plan_refresh
from ttapi.sources.contract import NarrowingSource
from ttapi.sources.credentials import how_to_give
from ttapi.sources.discovery import guarded, units_given
from ttapi.store.catalog import EVERYTHING, Slice
from ttapi.store.ledger import UnitRecord, read_units
from ttapi.store.reader import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from ttapi.errors import ModelError
    from ttapi.refresh.datasets import Dataset, SourceResource, Step
    from ttapi.refresh.environment import Environment
    from ttapi.sources.contract import SourceContext, Unit
    from ttapi.sources.traffic import NetworkAccounts
    from ttapi.store.catalog import DatasetState


@dataclass(frozen=True)
class RefreshRequest:
    """What to refresh and how."""

    targets: tuple[str, ...] = ()
    """Dataset names; empty: every dataset."""
    force: bool = False
    survey_local: bool = True
    """Compare local folders even where their TTL has not passed (`refresh` does, `sql` does not)."""
    is_named: bool = True
    """True: a user named the targets; False: a query reads them, configured or not."""
    refetch: frozenset[str] = frozenset()
    """Raw datasets to ask again though their TTL has not passed."""
    already_refreshed: frozenset[str] = frozenset()
    """Raw datasets that another command asked while this one waited: `force` leaves them out."""
    left_alone: frozenset[str] = frozenset()
    """Raw datasets that are not asked, however stale."""
    planned: tuple[Step, ...] | None = None
    """The plan this is made from: carried out as it is where nothing was written since."""
    planned_after: int = 0
    """The load after which `planned` was made."""
    span: tuple[date | None, date | None] = (None, None)
    demands: Mapping[str, Demand] | None = None
    """The part of each raw dataset that matters; None: everything, or what `symbols` and `span` say."""
    wait_s: float = 60.0
    command: str = "ttapi refresh"


def require_keys(environment: Environment, request: RefreshRequest, steps: Iterable[Step]) -> None:
    """Nothing, or UsageError when a dataset that was asked for by name, or by a query, lacks its key.

    A target that has other inputs too does without the one that lacks its key.
    """
    datasets = environment.datasets
    lacking = {
        step.dataset
        for step in steps
        if datasets[step.dataset].requires and step.verdict == "missing" and step.action == "none"
    }
    if not request.targets or not lacking:
        return
    for target in request.targets:
        meant = targets_of(environment, [target], is_named=request.is_named)
        roots = {n for n in closure(datasets, meant) if datasets[n].kind == "raw"}
        usable = {name for name in roots if not datasets[name].missing_setting}
        if usable and usable <= lacking:
            name = min(usable)
            key = datasets[name].requires[0]
            hint = f"where {key} = ..."
            if key == "symbol":
                hint = (
                    "where symbol = 'SPY', --symbols, --list, or [universe] default in ttapi.toml"
                )
            raise UsageError(f"{name} is asked {key} by {key}, and none was named", hint=hint)


def targets_of(
    environment: Environment, names: Sequence[str], *, is_named: bool = True
) -> Iterable[str]:
    """Dataset names meant by `names`: a dataset, its last part, or a source; none: all.

    *Raises* UsageError for a name nobody knows and, when a user named them (`is_named`), for what
    is not configured.
    """
    datasets = environment.datasets
    if not names:
        return list(datasets)
    found: list[str] = []
    for name in names:
        matches = _matches(name.lower(), datasets)
        if not matches and (error := broken_named(environment, name.lower())) is not None:
            raise error
        if not matches and (broken := _broken_source(environment, name)):
            raise UsageError(broken, hint="ttapi sources names its file")
        if not matches:
            known = [*datasets, *(n.rpartition(".")[2] for n in datasets)]
            hint = did_you_mean(name, known) or "ttapi status lists them"
            raise UnknownNameError(f"{name!r} is no dataset", hint=hint)
        for match in matches:
            missing = datasets[match].missing_setting
            if missing and is_named:
                source = str(datasets[match].source)
                raise UsageError(
                    f"{match} is not configured: [sources.{source}] {missing} is not set",
                    hint=f"{_way_to_give(environment, match)}, or TTAPI_{source.upper()}_{missing.upper()}",
                )
            if is_named:
                _require_a_configured_root(environment, match)
        found.extend(matches)
    return found


def _way_to_give(environment: Environment, name: str) -> str:
    """What a user does about the setting that the raw dataset `name` lacks."""
    missing = str(environment.datasets[name].missing_setting)
    return how_to_give(environment.resources[name].source, missing)


def _require_a_configured_root(environment: Environment, name: str) -> None:
    """UsageError for a named view of which no input is configured."""
    datasets = environment.datasets
    stem = name.rpartition(".")[2]
    roots = [datasets[n] for n in sorted(closure(datasets, [name])) if datasets[n].kind == "raw"]
    # A source that is called as the view is the one that was meant.
    roots.sort(key=lambda root: root.source != stem)
    if roots and all(root.missing_setting for root in roots):
        raise UsageError(
            f"{name} reads {roots[0].name}, which is not configured",
            hint=_way_to_give(environment, roots[0].name),
        )


def broken_named(environment: Environment, name: str) -> ModelError | None:
    """Why the model that `name` means was left out; None where it means no such model."""
    for broken, error in environment.broken.items():
        if name in {broken, broken.rpartition(".")[2]}:
            return error
    return None


def _broken_source(environment: Environment, name: str) -> str | None:
    """Why the source called `name` is left out; None where none is called so, or it is there."""
    return next((one.error for one in environment.sources if one.name == name), None)


def _matches(name: str, datasets: Mapping[str, Dataset]) -> list[str]:
    if name in datasets:
        return [name]
    stems = [n for n in datasets if n.rpartition(".")[2] == name]
    return stems or [n for n, d in datasets.items() if d.source == name]


def predicted_seconds(environment: Environment, step: Step) -> float | None:
    """Seconds `step` will take, by how long the last telling one took; None: never done.

    Of a source asked by slices the seconds a call, times the calls.
    """
    left = environment.home_state
    took = left.seconds.get(step.dataset)
    calls = left.calls.get(step.dataset, 0)
    if took is None:
        return None
    return took / calls * step.calls if calls and step.calls else took


Ledger = Callable[[str], Mapping[str, UnitRecord]]
"""The units of a dataset, by key."""


@dataclass(frozen=True)
class UnitListing:
    """What exists now, beside what the ledger holds."""

    units: Sequence[Unit]
    ledger: Mapping[str, UnitRecord]
    difference: ListingDiff


@dataclass(frozen=True)
class StoredState:
    """Where everything stands: as the live file says, or as the last refresh left it."""

    states: Mapping[str, DatasetState]
    slices: Mapping[str, Sequence[Slice]]
    ledger: Ledger


def dry_run(environment: Environment, request: RefreshRequest) -> tuple[Step, ...]:
    """What `run_refresh` would do, with nothing fetched or rebuilt and no lock taken.

    *Raises* UsageError for wrong names and settings, ModelError.
    """
    left = environment.home_state
    with closing(open_snapshot(environment.home)) as connection:

        def ledger(dataset: str) -> Mapping[str, UnitRecord]:
            found = read_units(connection, dataset)
            for key, (size, mtime_ns) in left.seen_units.get(dataset, {}).items():
                if key in found:
                    found[key] = replace(found[key], size=size, mtime_ns=mtime_ns)
            return found

        stored = StoredState(left.states, left.slices, ledger)
        accounts = environment.accounts()
        steps, listings = settle_plan(environment, request, stored, None, accounts)
    require_keys(environment, request, steps)
    return tuple(_narrowed(environment, step, listings.get(step.dataset)) for step in steps)


def _narrowed(environment: Environment, step: Step, found: UnitListing | TtapiError | None) -> Step:
    """`step` with only those units that may hold the keys it is for."""
    if step.keys is None or not isinstance(found, UnitListing):
        return step
    units = [unit for unit in found.units if unit.key in set(step.slices)]
    offer = environment.resources[step.dataset]
    chosen = units_holding(environment.context(offer.source), offer, units, step.keys)
    slices = tuple(key for key in step.slices if key in chosen)
    return replace(step, slices=slices, calls=len(slices), may_change=bool(slices))


def units_holding(
    context: SourceContext, offer: SourceResource, units: Sequence[Unit], keys: frozenset[str]
) -> frozenset[str]:
    """Keys of those of `units` that may hold a row of one of `keys`: all where the source cannot tell."""
    source = offer.source
    if not isinstance(source, NarrowingSource):
        return frozenset(unit.key for unit in units)
    with guarded(source):
        chosen = units_given(
            "units_holding", source.units_holding(offer.resource, units, keys, context)
        )
    return frozenset(unit.key for unit in chosen)


def make_plan(
    environment: Environment,
    request: RefreshRequest,
    stored: StoredState,
    listings: Mapping[str, UnitListing | TtapiError],
) -> tuple[Step, ...]:
    """The steps of `request` against where everything stands, and these listings."""
    differences = {
        name: found.difference for name, found in listings.items() if isinstance(found, UnitListing)
    }
    alone = {
        name: replace(one, lost="left alone")
        for name, one in environment.raw_datasets.items()
        if name in request.left_alone
    }
    held = environment.held(_demands(environment, request))
    held = replace(held, slices=environment.home_state.with_absences(stored.slices))
    return plan_refresh(
        {**environment.datasets, **alone} if alone else environment.datasets,
        stored.states,
        targets_of(environment, request.targets, is_named=request.is_named),
        clock=environment.clock,
        listings=differences,
        held=held,
        force=request.force,
        refetch=request.refetch,
        already_refreshed=request.already_refreshed,
    )


def _demands(environment: Environment, request: RefreshRequest) -> Mapping[str, Demand]:
    """What is wanted of each raw dataset: as a query says, or as `--symbols`, `--from` and `--to` do."""
    if request.demands is not None:
        return request.demands
    if environment.symbols is None and request.span == EVERYTHING:
        return {}
    other = _asked_by_other_keys(environment, request)
    return {
        name: Demand(None if name in other else environment.symbols, request.span)
        for name in environment.raw_datasets
    }


def _asked_by_other_keys(environment: Environment, request: RefreshRequest) -> frozenset[str]:
    """Datasets whose key is no symbol, where others are asked by symbol: those are meant.

    Alone they take what `--symbols` names: `refresh future_options --symbols ES`.
    """
    targets = targets_of(environment, request.targets, is_named=request.is_named)
    meant = closure(environment.datasets, targets)
    keys = {
        name: dataset.requires[0]
        for name, dataset in environment.raw_datasets.items()
        if dataset.requires and name in meant
    }
    other = frozenset(name for name, key in keys.items() if key != "symbol")
    return other if len(other) < len(keys) else frozenset()


def settle_plan(
    environment: Environment,
    request: RefreshRequest,
    stored: StoredState,
    steps: tuple[Step, ...] | None,
    accounts: NetworkAccounts,
) -> tuple[tuple[Step, ...], dict[str, UnitListing | TtapiError]]:
    """The steps of `request` with all that can be known of them, and the listings of what they ask.

    `steps`: a plan that holds already; None: it is made. Where something outside was listed, one
    more plan says what of it must be read.
    """
    steps = make_plan(environment, request, stored, {}) if steps is None else steps
    listings = _list_outside(environment, request, stored, steps, accounts)
    if listings:
        steps = make_plan(environment, request, stored, listings)
    return steps, listings


def _list_outside(
    environment: Environment,
    request: RefreshRequest,
    stored: StoredState,
    steps: Iterable[Step],
    accounts: NetworkAccounts,
) -> dict[str, UnitListing | TtapiError]:
    """Listings of what `steps` ask, and of local folders where the request wants those looked at."""
    considered = {step.dataset for step in steps}
    asked = {step.dataset for step in steps if step.action == "ask"}
    listings: dict[str, UnitListing | TtapiError] = {}
    for name, offer in environment.resources.items():
        dataset = environment.datasets[name]
        if name not in considered or dataset.missing_setting or dataset.requires:
            continue
        if name in request.left_alone:
            continue
        if name in asked or (dataset.is_local and request.survey_local):
            try:
                listings[name] = list_units(environment, offer, stored.ledger, accounts)
            except UsageError as exc:
                held = stored.states.get(name)
                if request.is_named or held is None or not held.rows:
                    raise
                # A query reads on from what was loaded, such as while a share is not mounted.
                listings[name] = SourceDownError(exc.message, hint=exc.hint)
            except TtapiError as exc:
                listings[name] = exc
    return listings


def list_units(
    environment: Environment, offer: SourceResource, ledger: Ledger, accounts: NetworkAccounts
) -> UnitListing:
    """What `offer`'s source lists now against the ledger; a listing is no source call.

    *Raises* UsageError for a missing folder, SourceDownError when the source is out of reach.
    """
    with guarded(offer.source):
        context = environment.context(offer.source, accounts)
        units = units_given("survey", offer.source.survey(offer.resource, context))
    known = ledger(offer.dataset)
    return UnitListing(units, known, _difference(units, known))


def _difference(units: Sequence[Unit], ledger: Mapping[str, UnitRecord]) -> ListingDiff:
    new, changed = [], []
    for unit in units:
        known = ledger.get(unit.key)
        if known is None:
            new.append(unit.key)
        elif known.is_vanished or _may_differ(unit, known):
            changed.append(unit.key)
    present = {unit.key for unit in units}
    vanished = [
        key for key, known in ledger.items() if key not in present and not known.is_vanished
    ]
    return ListingDiff(tuple(new), tuple(changed), tuple(vanished), tuple(u.key for u in units))


def _may_differ(unit: Unit, known: UnitRecord) -> bool:
    """Whether `unit` must be asked: it looks otherwise, or has nothing by which one could tell."""
    looks = (unit.size, unit.mtime_ns)
    return looks == (None, None) or looks != (known.size, known.mtime_ns)
