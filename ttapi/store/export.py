# SPDX-License-Identifier: Apache-2.0
"""Export: the answer of a query as a Parquet or CSV file that is there whole or not at all.

The child that writes exports after a publication: it reads the snapshot, never the live file.

`python -m ttapi.store.export PARENT_PID HOME REQUESTS`, the requests as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from ttapi.errors import StoreError, TtapiError, UsageError
from ttapi.formats.records import refusal, writing
from ttapi.home import Home, refuse_home_path
from ttapi.sqltext import identifier, literal
from ttapi.store.engine import Connection, connect_snapshot, engine_errors
from ttapi.store.file_copy import die_with_parent, run_child
from ttapi.store.files import remove, sync_file, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ExportFormat = Literal["parquet", "csv"]

_RELATION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}")
_FORMULA = "^[=+\\-@\\t\\r]"


@dataclass(frozen=True)
class ExportRequest:
    """One relation to write after a publication."""

    relation: str
    """`eod` or `staged.eod`."""
    format: ExportFormat


@dataclass(frozen=True)
class ExportOutcome:
    """What became of one request."""

    relation: str
    format: str
    file: str
    rows: int | None
    """Null when it failed."""
    error: str | None


def export_target(folder: Path, name: str, format: ExportFormat) -> Path:  # noqa: A002 - the field's word
    """The file `name` is exported to; never outside `folder`.

    *Raises* UsageError for a name that could lead elsewhere.
    """
    if format not in ("parquet", "csv"):
        raise UsageError(f"{format!r} is no export format", hint="parquet or csv")
    if not _FILE_NAME.fullmatch(name) or ".." in name or ".tmp-" in name:
        raise UsageError(
            f"{name!r} cannot name an exported file",
            hint="letters, digits, underscores, dots and hyphens",
        )
    return folder / f"{name}.{format}"


def export_query(
    connection: Connection,
    sql: str,
    target: Path,
    format: ExportFormat,  # noqa: A002 - the field's word
    *,
    partition_by: Sequence[str] = (),
    is_formula_safe: bool = False,
) -> int:
    """Write the answer of one SELECT to `target`; how many rows it had.

    `partition_by` makes `target` a folder of Parquet files, one subfolder per value.
    `is_formula_safe`: text cells a spreadsheet would run get a leading apostrophe, and no number does.

    *Raises* QueryError; UsageError for what cannot be exported, for a place of ttapi's own and for one that
    cannot be written; DiskFullError. `target` then stays as it was.
    """
    if partition_by and format != "parquet":
        raise UsageError("only Parquet can be partitioned", hint="--format parquet")
    refuse_home_path(target)
    with engine_errors(target):
        query = _single_select(connection, sql)
        # Bound as it was written: a complaint shows the user's own line, not the COPY around it.
        connection.sql(query)
        if is_formula_safe:
            query = _formula_safe(connection, query)
    options = _options(format, partition_by)
    with _folder(target) if partition_by else writing(target) as building, engine_errors(target):
        ((rows,),) = connection.execute(
            f"copy (\n{query}\n) to {literal(str(building))} ({options})"
        ).fetchall()
    return int(rows)


def export_changed(home: Home, requests: Sequence[ExportRequest]) -> tuple[ExportOutcome, ...]:
    """Write the requested relations of the published file to the exports folder, in a child process.

    Never raises: what failed says so in its outcome, since a failed export fails no refresh.
    """
    if not requests:
        return ()
    work = json.dumps([asdict(request) for request in requests])
    try:
        answer = run_child("ttapi.store.export", str(home.root), work)
        outcomes = answer["outcomes"]
        if not isinstance(outcomes, list):
            raise StoreError("ttapi.store.export answered without outcomes")
        return tuple(ExportOutcome(**outcome) for outcome in outcomes)
    except TtapiError as exc:
        return tuple(ExportOutcome(r.relation, r.format, "", None, str(exc)) for r in requests)


def export_requests(home: Home, requests: Sequence[ExportRequest]) -> list[ExportOutcome]:
    """Do in this process what `export_changed` asks of its child."""
    connection = connect_snapshot(home.public_file)
    try:
        return [_export_one(connection, home, request) for request in requests]
    finally:
        connection.close()


def _export_one(connection: Connection, home: Home, request: ExportRequest) -> ExportOutcome:
    try:
        if not _RELATION.fullmatch(request.relation):
            raise UsageError(f"{request.relation!r} names no relation", hint="eod, or staged.eod")
        target = export_target(home.exports, request.relation, request.format)
        quoted = ".".join(f'"{part}"' for part in request.relation.split("."))
        rows = export_query(connection, f"select * from {quoted}", target, request.format)
    except TtapiError as exc:
        return ExportOutcome(request.relation, request.format, "", None, str(exc))
    return ExportOutcome(request.relation, request.format, str(target), rows, None)


def _single_select(connection: Connection, sql: str) -> str:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            "an export takes exactly one SELECT", hint=f"this was: {sql.strip()[:80]!r}"
        )
    return _without_end(str(statements[0].query))


def _without_end(query: str) -> str:
    """`query` up to its closing semicolons, whatever comments follow them."""
    text = query.encode()
    for offset, kind in reversed(duckdb.tokenize(query)):
        if text[offset : offset + 1] == b";":
            text = text[:offset]
        elif kind != duckdb.token_type.comment:
            break
    return text.decode()


def _formula_safe(connection: Connection, query: str) -> str:
    columns = connection.execute(f"describe\n{query}").fetchall()
    cells = []
    for name, data_type, *_ in columns:
        column = identifier(name)
        if data_type == "VARCHAR":
            is_formula = f"regexp_matches({column}, '{_FORMULA}')"
            column = f"case when {is_formula} then '''' || {column} else {column} end as {column}"
        cells.append(column)
    return f"select {', '.join(cells)} from (\n{query}\n)"


def _options(format: ExportFormat, partition_by: Sequence[str]) -> str:  # noqa: A002 - the field's word
    if format == "csv":
        return "format csv, header true"
    columns = ", ".join(map(identifier, partition_by))
    return f"format parquet, compression zstd{f', partition_by ({columns})' if columns else ''}"


@contextmanager
def _folder(target: Path) -> Iterator[Path]:
    """Give the path of a folder to fill, which then takes the place of `target`."""
    building = temporary_name(target)
    outgoing = temporary_name(target.with_name(f"{target.name}.old"))
    try:
        remove(building)
        yield building
        for path in sorted(building.rglob("*")):
            sync_file(path)
        remove(outgoing)
        if target.exists():
            target.rename(outgoing)
        building.rename(target)
        remove(outgoing)
        sync_folder(target.parent)
    except OSError as exc:
        raise refusal(target, exc) from exc
    finally:
        remove(building)


def main(arguments: list[str]) -> int:
    """Write every requested relation and answer with the outcomes."""
    parent_pid, root, work = int(arguments[0]), Path(arguments[1]), arguments[2]
    die_with_parent(parent_pid)
    requests = [ExportRequest(**request) for request in json.loads(work)]
    try:
        outcomes = export_requests(Home(root), requests)
    except TtapiError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps({"outcomes": [asdict(outcome) for outcome in outcomes]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
