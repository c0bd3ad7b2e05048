# SPDX-License-Identifier: Apache-2.0
"""What the doors offer beside SQL: a function an operation.

Importing this module brings nothing of the rooms below; each operation brings what it needs.
`Database` offers those about an open home as methods.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ttapi.api.answer import Status
from ttapi.clock import clock_from
from ttapi.config import note_path
from ttapi.errors import QueryError, UnknownNameError, UsageError, did_you_mean
from ttapi.home import Home, find_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from ttapi.api.answer import Answer
    from ttapi.api.database import Database
    from ttapi.audit.doctor import Diagnosis
    from ttapi.audit.receipt import Receipt
    from ttapi.audit.replay import Replay
    from ttapi.market.calendar import MarketPhase
    from ttapi.refresh.datasets import PlanInputs, Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.maintenance import (
        BackupOutcome,
        BackupRequest,
        RestoreOutcome,
        RestoreRequest,
    )
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.writer import Progress
    from ttapi.store.export import ExportFormat
    from ttapi.store.lock import OnWait
    from ttapi.store.shared_database import SharedDatabase


@dataclass(frozen=True)
class ExportFiles:
    """Which files the rows of a query become."""

    folder: Path
    stem: str
    formats: Sequence[ExportFormat]
    partition_by: Sequence[str] = ()
    """Columns, for Parquet."""
    is_formula_safe: bool = False
    """Whether text cells that a spreadsheet would run are defused."""


def open_environment(
    folder: Path | None,
    *,
    symbols: frozenset[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Environment:
    """The installation of the home at `folder`; None: TTAPI_HOME, else the platform's.

    *Raises* UsageError for a wrong setting.
    """
    from ttapi.refresh.environment import environment_of
    from ttapi.refresh.installation import load_installation

    given = os.environ if environ is None else environ
    installation = load_installation(find_home(folder, given), given)
    return environment_of(installation, clock_from(given), symbols=symbols)


def require_home(home: Home) -> None:
    """Nothing, or UsageError when the home was never made."""
    if not home.live_file.exists():
        raise UsageError(
            f"{home.root} holds no ttapi database",
            hint=f"ttapi --home {home.root} init makes one",
        )


def make_home(
    environment: Environment,
    *,
    metastock: Path | None = None,
    wait_s: float = 60.0,
    on_wait: OnWait = None,
) -> Environment:
    """The installation of the home that was made; harmless where there is one.

    `metastock`: a folder or archive of files, noted in the home's settings.

    *Raises* UsageError for a folder that is not there, or settings that name another.
    """
    from ttapi.store.store import init_home

    if metastock is not None and not metastock.exists():
        raise UsageError(
            f"{metastock} does not exist",
            hint="name a folder of .csv/.txt files, or a .zip of them",
        )
    init_home(environment.home, wait_s=wait_s, on_wait=on_wait, now=environment.now)
    if metastock is None:
        return environment
    note_path(environment.home.settings_file, "metastock", metastock.absolute())
    return open_environment(environment.home.root)


def fill_home(
    environment: Environment, *, wait_s: float = 60.0, on_wait: OnWait = None
) -> RefreshOutcome:
    """What came of installing the models and loading what ttapi ships."""
    from ttapi.refresh.plan import RefreshRequest

    shipped = ("calendar", "raw.shipped_universes", "expiration_series")
    request = RefreshRequest(targets=shipped, wait_s=wait_s, command="ttapi init")
    return refresh(environment, request, on_wait=on_wait)


def refresh(
    environment: Environment,
    request: RefreshRequest,
    *,
    progress: Progress | None = None,
    on_wait: OnWait = None,
) -> RefreshOutcome:
    """What came of bringing the datasets of `request`, and all they read, up to date.

    *Raises* UsageError for names nobody knows; LockedError, StoreError, ModelError.
    """
    from ttapi.refresh.writer import run_refresh

    return run_refresh(environment, request, progress=progress, on_wait=on_wait)


def add_members(
    environment: Environment, universe: str, *, wait_s: float = 60.0, on_wait: OnWait = None
) -> Environment:
    """`environment` for the members of `universe` too.

    *Raises* UsageError for a list nobody knows.
    """
    from ttapi.refresh.plan import RefreshRequest

    # A list may have come since: the folders are looked at first.
    lists = RefreshRequest(targets=("universes",), is_named=False, wait_s=wait_s)
    environment = environment.after(refresh(environment, lists, on_wait=on_wait).home_state)
    symbols = (environment.symbols or frozenset()) | environment.members(universe)
    return replace(environment, symbols=symbols)


def plan(environment: Environment, request: RefreshRequest) -> tuple[Step, ...]:
    """What `refresh` would do, with nothing fetched or rebuilt and no lock taken."""
    from ttapi.refresh.plan import dry_run

    return dry_run(environment, request)


def count_calls(environment: Environment, request: RefreshRequest) -> int:
    """How many source calls `refresh` would make, by the state the last one left."""
    from ttapi.refresh.plan import targets_of
    from ttapi.refresh.planner import plan_refresh

    steps = plan_refresh(
        environment.datasets,
        environment.home_state.states,
        targets_of(environment, request.targets),
        clock=environment.clock,
        force=request.force,
    )
    return sum(step.calls for step in steps)


def status(environment: Environment, dataset: str | None = None) -> Status:
    """How fresh every dataset is, or one; no lock, no database.

    *Raises* UsageError for a home never made and a dataset nobody knows; StoreError where what the
    last refresh left is damaged.
    """
    from ttapi.refresh.freshness import remarks_of, status_rows
    from ttapi.refresh.home_state import require_state
    from ttapi.sources.traffic import traffic_text
    from ttapi.store.files import is_as_published, recorder_text

    require_home(environment.home)
    left = environment.home_state
    require_state(environment.home, left)
    datasets = {**left.datasets, **environment.raw_datasets}
    broken = {name: error for name, error in left.broken.items() if name not in datasets}
    only = None if dataset is None else [_known(dataset, [*datasets, *broken])]
    held, universe_error = _held(environment)
    rows = status_rows(
        datasets, left.states, clock=environment.clock, held=held, only=only, broken=broken,
        remarks=remarks_of(left, datasets),
    )  # fmt: skip
    asked = left.traffic.items() if dataset is None else ()
    traffic, home = {source: traffic_text(account) for source, account in asked}, environment.home
    sources = {name: one.source for name, one in datasets.items() if one.source}
    facts = is_as_published(home), recorder_text(home)
    return Status(rows, traffic, universe_error, sources, *facts)


def stream_state(home: Home) -> dict[str, Any] | None:
    """What records streams at this moment said at its last publication; None: nothing does."""
    from ttapi.store.files import recorder_state

    return recorder_state(home)


def daemon_text(home: Home) -> str | None:
    """Whether a daemon serves `home`, answers or hangs, in words; None: none does, and none was killed."""
    from ttapi.refresh.daemon_client import daemon_text as text

    return text(home)


def _held(environment: Environment) -> tuple[PlanInputs, str | None]:
    """What is there, and why the default list names nobody."""
    from ttapi.refresh.datasets import PlanInputs

    try:
        return environment.held(), None
    except UsageError as exc:
        return PlanInputs(slices=environment.home_state.slices), exc.message


def _known(name: str, datasets: Sequence[str]) -> str:
    if name in datasets:
        return name
    matches = [one for one in datasets if one.rpartition(".")[2] == name]
    if not matches:
        hint = did_you_mean(name, datasets) or "ttapi status lists them"
        raise UnknownNameError(f"{name!r} is no dataset", hint=hint)
    return matches[0]


def market_phase(now: datetime) -> MarketPhase:
    """Whether XNYS is open at `now`, and until when that is so."""
    from ttapi.market.calendar import sessions

    return sessions("XNYS").phase_at(now)


def last_session(now: datetime) -> date:
    """The last session of XNYS that was over at `now`."""
    from ttapi.market.calendar import sessions

    return sessions("XNYS").last_completed_session(now)


@contextmanager
def published(home: Home) -> Iterator[Callable[[str], Sequence[tuple[Any, ...]]]]:
    """Give what answers SQL from the newest published file by its rows; nothing is refreshed.

    *Raises* UsageError where nothing is published; the engine's complaints as QueryError.
    """
    from ttapi.store.engine import engine_errors
    from ttapi.store.reader import open_snapshot

    with closing(open_snapshot(home)) as connection, engine_errors(home.public_file):
        yield lambda sql: connection.execute(sql).fetchall()


def export(home: Home, sql: str, files: ExportFiles) -> Iterator[tuple[Path, int]]:
    """Each file written from the answer of one SELECT on the published file, and its rows.

    *Raises* QueryError; UsageError for what cannot be exported, or a place of ttapi's own.
    """
    from ttapi.api.suggestions import with_suggestion
    from ttapi.store.export import export_query, export_target
    from ttapi.store.reader import open_snapshot

    try:
        files.folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"{files.folder} cannot be a folder: {exc.strerror}") from exc
    with closing(open_snapshot(home)) as connection:
        for one in files.formats:
            target = export_target(files.folder, files.stem, one)
            columns, is_safe = files.partition_by, files.is_formula_safe
            try:
                rows = export_query(
                    connection, sql, target, one, partition_by=columns, is_formula_safe=is_safe
                )
            except QueryError as exc:
                raise with_suggestion(
                    exc, sql, lambda ask: connection.execute(ask).fetchall()
                ) from exc
            yield target, rows


def share(environment: Environment, target: Path) -> SharedDatabase:
    """The database file made at `target`, without what is private."""
    from ttapi.store.shared_database import share_database

    private = {name for name, one in environment.datasets.items() if one.is_private}
    return share_database(environment.home, target, private)


def provable_select(database: Database, text: str) -> str:
    """The one SELECT of `text`, of which a receipt can be made; the engine is set up for it.

    *Raises* UsageError for anything else.
    """
    from ttapi.audit.receipt import require_provable

    statements = database.reader.split(text)
    if len(statements) != 1 or statements[0].kind != "SELECT":
        raise UsageError("a receipt is for one SELECT", hint="give one with -c")
    require_provable(statements[0].sql, database.load_environment())
    # One thread: sums of floating point come out alike each time.
    database.reader.run("set threads = 1")
    return statements[0].sql


def leave_receipt(database: Database, sql: str, answer: Answer, file: Path) -> None:
    """Nothing; the receipt of `answer`, which `database` has just given to `sql`, is in `file`."""
    from ttapi.audit.receipt import make_receipt, write_receipt

    rows = answer.rows
    if rows is None or rows.is_cut:
        rows = database.reader.run(sql)
    assert rows is not None
    write_receipt(make_receipt(database, sql, rows.table, ages=answer.prepared.ages), file)


def replay(environment: Environment, receipt: Receipt) -> Replay:
    """Whether the query of `receipt` still gives the same as of its load.

    *Raises* UsageError for a receipt of another database.
    """
    from ttapi.audit.replay import replay as prove

    return prove(environment, receipt)


def examine(
    home: Home,
    *,
    clock: datetime,
    prefix: str = "ttapi",
    is_deep: bool = False,
    wait_s: float = 60.0,
) -> Diagnosis:
    """All that is wrong with `home`, each with the command that repairs it.

    `clock`: the machine's, for the times of files. `prefix`: how a command about the home begins.
    *Raises* LockedError where the deep examination cannot have the lock within `wait_s`.
    """
    from ttapi.audit import diagnose, start_examination

    now = clock_from(os.environ).now()
    examination = start_examination(home, os.environ, now=now, clock=clock, prefix=prefix)
    return diagnose(examination, is_deep=is_deep, wait_s=wait_s)


def back_up(
    environment: Environment, request: BackupRequest, *, on_wait: OnWait = None
) -> BackupOutcome:
    """A proved backup of all that is committed.

    *Raises* LockedError past `wait_s`; UsageError, StoreError.
    """
    from ttapi.refresh.writer import THIS_PROCESS

    return THIS_PROCESS.back_up(environment, request, on_wait=on_wait)


def prepare_restore(home: Home, what: str | None) -> None:
    """Nothing; the folders of `home` are there for `restore`.

    *Raises* UsageError for a backup that is not there, and where there is nothing to restore from.
    """
    from ttapi.refresh.maintenance import WORDS, require_copy
    from ttapi.store.store import make_folders

    if not home.root.is_dir() and (what is None or what in WORDS):
        raise UsageError(
            f"{home.root} is no ttapi home", hint="ttapi restore BACKUP makes one of it"
        )
    require_copy(home, what)
    make_folders(home)


def restore(
    environment: Environment, request: RestoreRequest, *, on_wait: OnWait = None
) -> RestoreOutcome:
    """What was brought back: the live file proved and in place, published, its state told anew.

    *Raises* UsageError for a working database without leave to replace it; StoreError, LockedError.
    """
    from ttapi.refresh.writer import THIS_PROCESS

    return THIS_PROCESS.restore(environment, request, on_wait=on_wait)
