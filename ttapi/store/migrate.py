# SPDX-License-Identifier: Apache-2.0
"""Migrations: the forward-only steps that make a database file what this ttapi expects.

A step is `migrations/NNNN_name.sql`. It is applied in one transaction together with its row in
catalog.migrations, so a file stands at one version or at the next, never between.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import MigrationError, QueryError
from ttapi.store.engine import AppliedMigration, Connection, as_timestamp, engine_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One step as it lies in the migrations folder."""

    version: int
    name: str
    sql: str
    checksum: str
    """SHA-256 of the file's bytes."""


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """The steps in `folder`, by version.

    *Raises* MigrationError for a file name that is no step, or a version that stands twice.
    """
    steps: dict[int, Migration] = {}
    for file in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if not match:
            raise MigrationError(
                f"{file} is no migration", hint="0007_what_it_adds.sql would be one"
            )
        version = int(match[1])
        if version in steps:
            raise MigrationError(f"{file}: version {version} is already {steps[version].name!r}")
        content = file.read_bytes()
        steps[version] = Migration(
            version, match[2], content.decode(), hashlib.sha256(content).hexdigest()
        )
    return tuple(steps[version] for version in sorted(steps))


def pending_migrations(
    applied: Sequence[AppliedMigration], available: Sequence[Migration], file: Path
) -> tuple[Migration, ...]:
    """The steps `file` still lacks, in order.

    *Raises* MigrationError when an applied step was altered, is unknown here, or was skipped.
    """
    known = {step.version: step for step in available}
    for done in applied:
        step = known.get(done.version)
        if step is None:
            raise MigrationError(
                f"{file} is at schema version {applied[-1].version}, and this ttapi knows {max(known, default=0)}",
                hint="upgrade ttapi",
                kind="newer schema",
            )
        if step.checksum != done.checksum:
            raise MigrationError(
                f"migration {done.version:04d}_{step.name}.sql was altered after it was applied to {file}",
                hint="restore the file; changes go into a new migration",
                kind="altered schema",
            )
    newest = max((done.version for done in applied), default=0)
    done_versions = {done.version for done in applied}
    skipped = [
        step for step in available if step.version < newest and step.version not in done_versions
    ]
    if skipped:
        raise MigrationError(
            f"migration {skipped[0].version:04d}_{skipped[0].name}.sql was never applied to {file},"
            f" which is at version {newest}",
            hint="give it a number above every applied one",
            kind="altered schema",
        )
    return tuple(step for step in available if step.version not in done_versions)


def apply_migrations(
    connection: Connection, steps: Sequence[Migration], *, now: datetime, file: Path
) -> None:
    """Bring the open `file` forward by `steps`, each in a transaction of its own.

    *Raises* MigrationError naming the step that failed; the steps before it stand. The caller
    closes the connection then, which undoes the failed step.
    """
    for step in steps:
        try:
            with engine_errors(file):
                connection.execute("begin")
                connection.execute(step.sql)
                connection.execute(
                    "insert into catalog.migrations values (?, ?, ?, ?)",
                    [step.version, step.name, step.checksum, as_timestamp(now)],
                )
                connection.execute("commit")
        except QueryError as exc:
            raise MigrationError(
                f"migration {step.version:04d}_{step.name}.sql failed on {file}: {exc}"
            ) from exc
