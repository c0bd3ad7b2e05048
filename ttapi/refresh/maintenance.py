# SPDX-License-Identifier: Apache-2.0
"""Backup and restore as commands carry them out: file, publication and state brought to agree.

`[export] datasets` written again after a publication that changed them.
"""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi import __version__
from ttapi.config import bundled_folder
from ttapi.errors import LockedError, StoreError, TtapiError, UsageError
from ttapi.home import refuse_home_path
from ttapi.refresh.home_state import HomeState, write_home_state
from ttapi.refresh.planner import closure
from ttapi.store.backup import Backup, list_backups, make_backup, prune_backups, restore_own_files
from ttapi.store.catalog import (
    INSTALLED_FROM,
    is_publication_due,
    read_meta,
    read_states,
    replace_coded_notes,
)
from ttapi.store.catalog_rows import NoteRow
from ttapi.store.export import ExportRequest, export_changed
from ttapi.store.files import remove_leftovers
from ttapi.store.lock import OnWait, OwnerLock, acquire
from ttapi.store.publish import publish, published_generation
from ttapi.store.restore import (
    RestoreCandidate,
    backup_folder,
    find_backup,
    finish,
    origins,
    prepare,
    prepare_best,
    prepare_live,
    put_in_place,
    put_public_aside,
    require_live,
    require_undamaged,
)
from ttapi.store.schema import read_migrations
from ttapi.store.store import make_folders, open_owned, open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.home import Home
    from ttapi.refresh.datasets import Dataset
    from ttapi.refresh.environment import Environment
    from ttapi.store.export import ExportFormat, ExportOutcome
    from ttapi.store.store import Store

LATEST, SNAPSHOT, LIVE, EMPTY = "latest", "snapshot", "live", "empty"
WORDS = (LATEST, SNAPSHOT, LIVE, EMPTY)
"""What can be restored besides a named backup."""


@dataclass(frozen=True)
class BackupRequest:
    """Where to put a backup, and which others stay."""

    folder: Path | None = None
    """None: the home's own."""
    keep: int | None = None
    """How many stay, the oldest go; None: all."""
    wait_s: float = 60.0


@dataclass(frozen=True)
class BackupOutcome:
    """What a backup made and what it replaced."""

    backup: Backup
    pruned: tuple[Path, ...]


@dataclass(frozen=True)
class RestoreRequest:
    """What to bring back."""

    what: str | None = None
    """A backup, or latest, snapshot, live, empty; None: the least that makes the home work."""
    is_confirmed: bool = False
    """Whether a database that works may be replaced."""
    wait_s: float = 60.0


@dataclass(frozen=True)
class RestoreOutcome:
    """What a restore did."""

    origin: str
    """What the live file came from; 'live' when it stayed in place."""
    generation: int
    """As now published."""
    rows: int | None
    """Of all tables together; None when the file stayed or began anew."""
    aside: Path | None
    """Where what was there is kept."""
    brought: tuple[Path, ...] = ()
    """The user's own files that were missing and came back."""


def back_up(
    environment: Environment, request: BackupRequest, *, on_wait: OnWait = None
) -> BackupOutcome:
    """A proved backup of all that is committed.

    What is not yet published is published first, so that the copy can be made of a file nobody
    writes; the lock is held until then only.

    *Raises* LockedError past `wait_s`; UsageError, DiskFullError, StoreError.
    """
    home = environment.home
    target = request.folder or home.backups
    refuse_home_path(target, is_backup=True)
    with open_store(
        home, command="ttapi backup", wait_s=request.wait_s, on_wait=on_wait, now=environment.now
    ) as store:
        with store.reading() as cursor:
            is_due = is_publication_due(cursor, published_generation(home))
        if is_due:
            publish(store, keep=environment.settings.snapshots_kept)
            _reset_state(store, environment)
    made = make_backup(home, target, created_at=environment.now, version=__version__)
    pruned = prune_backups(target, request.keep) if request.keep is not None else []
    return BackupOutcome(made, tuple(pruned))


def require_copy(home: Home, what: str | None) -> None:
    """Nothing where `what` names a copy that is there, or no copy; UsageError for one that is not."""
    if what == LATEST:
        _latest(home)
    elif what is not None and what not in WORDS:
        backup_folder(home, Path(what).expanduser())


def restore(
    environment: Environment, request: RestoreRequest, *, on_wait: OnWait = None
) -> RestoreOutcome:
    """Bring the home back: the live file proved and in place, published, its state told anew.

    *Raises* UsageError for a backup that is not there and for a working database without leave to
    replace it; StoreError, MigrationError for a copy that is no good; LockedError past `wait_s`.
    The live file is as it was then.
    """
    home = environment.home
    require_copy(home, request.what)
    make_folders(home)
    lock = acquire(home, command="ttapi restore", wait_s=request.wait_s, on_wait=on_wait)
    try:
        remove_leftovers(home)
        trouble = _trouble(home)
        if request.what == LIVE and trouble is None:
            return _kept(environment, lock)
        if trouble is None and not request.is_confirmed:
            raise UsageError(
                f"{home.live_file} works; this would put another in its place",
                hint="--yes does it, and keeps the present one beside it",
            )
        default = None if trouble else LATEST
        what = default if request.what is None else request.what
        return _replaced(environment, lock, what, was_whole=trouble is None)
    finally:
        # The store has released it where one was opened; a second time is harmless.
        lock.release()


def _trouble(home: Home) -> TtapiError | None:
    """Why the live file must be replaced; None: it is whole. *Raises* LockedError."""
    try:
        require_live(home)
        require_undamaged(home)
    except LockedError:
        raise
    except TtapiError as exc:
        return exc
    return None


def _kept(environment: Environment, lock: OwnerLock) -> RestoreOutcome:
    """Publish the live file as it is."""
    aside = put_public_aside(environment.home)
    generation = _republish(environment, lock)
    return RestoreOutcome(LIVE, generation, None, aside)


def _replaced(
    environment: Environment, lock: OwnerLock, what: str | None, *, was_whole: bool
) -> RestoreOutcome:
    """Put a proved copy in place of the live file, and publish it."""
    home = environment.home
    prepared = _prepared(environment, what)
    words = shlex.join(["restore", *([] if what is None else [what]), "--yes"])
    aside = put_in_place(home, prepared, words, was_whole=was_whole)
    put_public_aside(home)
    if prepared is None:
        home.public_file.unlink(missing_ok=True)
    generation = _republish(environment, lock)
    if prepared is None:
        return RestoreOutcome(EMPTY, generation, None, aside)
    brought: list[Path] = []
    if prepared.manifest is not None:
        brought = restore_own_files(home, prepared.origin.place, prepared.manifest)
    return RestoreOutcome(
        str(prepared.origin), generation, prepared.rows, aside, brought=tuple(brought)
    )


def _prepared(environment: Environment, what: str | None) -> RestoreCandidate | None:
    home = environment.home
    if what is None:
        return prepare_best(home)
    if what == LIVE:
        return prepare_live(home)
    if what == EMPTY:
        return None
    if what == SNAPSHOT:
        return _first_snapshot(environment)
    place = _latest(home) if what == LATEST else Path(what).expanduser()
    return prepare(home, find_backup(home, place))


def _latest(home: Home) -> Path:
    """The newest usable backup. *Raises* UsageError where there is none."""
    usable = [one.folder for one in list_backups(home.backups) if one.manifest is not None]
    if not usable:
        raise UsageError(
            f"{home.backups} holds no usable backup",
            hint="ttapi restore snapshot takes the newest published file",
        )
    return usable[0]


def _first_snapshot(environment: Environment) -> RestoreCandidate:
    tried = []
    for origin in origins(environment.home):
        if origin.kind == "snapshot":
            try:
                return prepare(environment.home, origin)
            except TtapiError as exc:
                tried.append(str(exc))
    said = f": {'; '.join(tried)}" if tried else ""
    raise StoreError(
        f"{environment.home.snapshots} holds no whole published file{said}",
        hint="ttapi restore latest takes the newest backup",
    )


def _republish(environment: Environment, lock: OwnerLock) -> int:
    """Have the published file and the state follow from the live file; the generation."""
    home = environment.home
    steps = read_migrations(bundled_folder("migrations"))
    limit = environment.settings.memory_limit
    with open_owned(home, lock, steps, now=environment.now, memory_limit=limit) as store:
        publication = publish(store, keep=environment.settings.snapshots_kept)
        _reset_state(store, environment)
        finish(home)
    return publication.generation


def _reset_state(store: Store, environment: Environment) -> None:
    """Write `live/state.json` from the catalog of the open file."""
    with store.reading() as cursor:
        states = read_states(cursor)
        installed = read_meta(cursor, INSTALLED_FROM)
    state = HomeState(
        installed or "",
        store.generation,
        _datasets(environment),
        states,
        environment.home_state.seconds,
    )
    write_home_state(environment.home, state)


def _datasets(environment: Environment) -> Mapping[str, Dataset]:
    """Every dataset; none where a model or plugin is broken, which a restore must not fail on."""
    try:
        return environment.datasets
    except TtapiError:
        return {}


log = logging.getLogger(__name__)

_FAILED = "export failed"


def export_after_publication(
    environment: Environment, changed: Iterable[str], *, load_id: int
) -> Sequence[ExportOutcome]:
    """Write the configured relations that read something in `changed`, in a child process.

    A failure becomes a row of `health` and fails nothing.
    """
    requests = _requests(environment, frozenset(changed))
    outcomes = export_changed(environment.home, requests)
    failures = [outcome for outcome in outcomes if outcome.error]
    for failure in failures:
        log.warning(_FAILED, extra={"relation": failure.relation, "error": failure.error})
    if failures:
        _note(environment, failures, load_id)
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


def _requests(environment: Environment, changed: frozenset[str]) -> list[ExportRequest]:
    settings, datasets = environment.settings, environment.datasets
    # A relation nobody knows is asked for too: its failure is what the user must see.
    wanted = [
        relation
        for relation in settings.export_datasets
        if relation not in datasets or closure(datasets, [relation]) & changed
    ]
    formats = export_formats(settings.export_formats)
    return [ExportRequest(relation, one) for relation in wanted for one in formats]


def _note(environment: Environment, failures: Sequence[ExportOutcome], load_id: int) -> None:
    with open_store(environment.home, command="ttapi export", now=environment.now) as store:
        with store.transaction() as cursor:
            rows = [
                NoteRow(f.relation, f.format, _FAILED, str(f.error), load_id, environment.now)
                for f in failures
            ]
            replace_coded_notes(cursor, _FAILED, rows)
        publish(store, keep=environment.settings.snapshots_kept)
