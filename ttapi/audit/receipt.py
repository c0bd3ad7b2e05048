# SPDX-License-Identifier: Apache-2.0
"""Receipts: what a query was answered from, sealed, so that the answer can be proved again later.

The hash of an answer, by a rule that neither threads nor storage order can move.

Every cell becomes text: null, true and false; whole numbers; floating point to 12 significant
digits (NaN is `nan`, -0 is 0); decimals without trailing zeros; dates and instants in ISO 8601;
lists and structs cell by cell. A row is hashed cell by cell; the answer's hash is the sum of its
rows' hashes, so the order of rows does not matter, and how often a row occurs does. Names and
number of columns are part of it, their types are not. An ORDER BY says in which order equal rows
come out; with ties left open it may say several, so order is no part of the proof.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ttapi import __version__
from ttapi.errors import QueryError, UsageError
from ttapi.formats.records import writing
from ttapi.models.model import macro_parts
from ttapi.models.portability import volatile_parts
from ttapi.models.references import references_in
from ttapi.models.resolve import resolve
from ttapi.refresh.coverage import name_scope
from ttapi.refresh.planner import closure
from ttapi.store.past import read_position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from ttapi.api.database import Database
    from ttapi.models.model import Model
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.freshness import InputAge
    from ttapi.store.reader import Reader

RULE = "blake2b-128 of rows, summed; floats to 12 significant digits; order of rows left out"
_MODULUS = 1 << 128


def result_hash(table: pa.Table) -> str:
    """32 hexadecimal digits that equal answers share."""
    total = int.from_bytes(_digest("\x1e".join(table.column_names)), "big")
    for batch in table.to_batches(max_chunksize=50_000):
        columns = [[cell_text(value) for value in column.to_pylist()] for column in batch.columns]
        for row in zip(*columns, strict=True):
            total += int.from_bytes(_digest("\x1f".join(row)), "big")
    return f"{total % _MODULUS:032x}"


def cell_text(value: object) -> str:
    """One cell as the rule has it."""
    if value is None:
        return "\0"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value + 0.0:.12g}" if value else "0"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list):
        return "[" + "\x1d".join(cell_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + "\x1d".join(f"{k}\x1c{cell_text(item)}" for k, item in value.items()) + "}"
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_FORMAT = "ttapi receipt 1"
# Of the catalog only these say the same later: which unit, and what its versions held.
_LASTING = frozenset({"catalog.units", "catalog.unit_versions"})


@dataclass(frozen=True)
class ReceiptInput:
    """One stored dataset behind the answer."""

    dataset: str
    version: str
    """Hash of its content."""
    load_id: int | None
    """The load that last made sure of it; None: never loaded."""
    asked_at: str | None
    """ISO instant, UTC; None: never."""
    age_s: float | None
    """Seconds since the world was last compared; None: never, or a table."""
    fingerprint: str
    """Of its source's code and settings, or of its model."""


@dataclass(frozen=True)
class Receipt:
    """What an answer rests on."""

    format: str
    sql: str
    parameters: Sequence[Any] | Mapping[str, Any]
    made_at: str
    """ISO instant, UTC: what the command took for now."""
    ttapi: str
    duckdb: str
    generation: int
    load_id: int
    """The last load its snapshot had seen."""
    history: str
    """Hash of what every load up to that one did."""
    relations: Sequence[str]
    """Everything it reads, to the raw tables."""
    models: Mapping[str, str]
    """Fingerprint of each model among them."""
    inputs: Sequence[ReceiptInput]
    rows: int
    columns: Sequence[str]
    hash_rule: str
    result_hash: str


def require_provable(sql: str, environment: Environment) -> tuple[str, ...]:
    """Every dataset behind `sql`, raw tables first.

    *Raises* UsageError for a query whose answer is no function of the stored data alone.
    """
    volatile = volatile_parts(sql)
    names = name_scope(environment.datasets)
    found = resolve(sql, names)
    if found.writes or found.unresolved:
        why = min(found.writes).name + " would be written" if found.writes else found.unresolved[0]
        raise UsageError(f"no receipt: {why}", hint="a receipt is for one SELECT")
    closed = closure(environment.datasets, sorted({read.relation for read in found.reads}))
    behind = [name for name in environment.datasets if name in closed]
    graph = environment.graph
    read = {up for name in behind for up in graph.upstreams.get(name, ())}
    read |= references_in(sql).relations
    fading = sorted(name for name in read - _LASTING if name.startswith("catalog."))
    for name in behind:
        model = graph.models.get(name)
        volatile += volatile_parts(_select_of(model)) if model else []
    if volatile or fading:
        what = (volatile or fading)[0]
        raise UsageError(
            f"no receipt: {what} answers differently from moment to moment, whatever the data",
            hint="name dates and files' contents in the query instead",
        )
    return tuple(behind)


def make_receipt(
    database: Database,
    sql: str,
    table: pa.Table,
    *,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    ages: Iterable[InputAge] = (),
) -> Receipt:
    """The receipt of `table`, which the reader of `database` has just answered to `sql`.

    *Raises* UsageError as `require_provable`.
    """
    environment, reader = database.load_environment(), database.reader
    behind = require_provable(sql, environment)
    graph = environment.graph
    position = read_position(lambda query: [tuple(row.values()) for row in _rows(reader, query)])
    known_ages = {age.dataset: age.age_s for age in ages}
    return Receipt(
        format=_FORMAT,
        sql=sql,
        parameters=parameters,
        made_at=environment.now.isoformat(),
        ttapi=__version__,
        duckdb=str(_rows(reader, "select version() as v")[0]["v"]),
        generation=position.generation,
        load_id=position.load_id,
        history=position.history,
        relations=behind,
        models={name: graph.models[name].fingerprint for name in behind if name in graph.models},
        inputs=_inputs(reader, environment, behind, known_ages),
        rows=table.num_rows,
        columns=table.column_names,
        hash_rule=RULE,
        result_hash=result_hash(table),
    )


def write_receipt(receipt: Receipt, file: Path) -> None:
    """Put `receipt`, sealed, in `file` as a whole.

    *Raises* UsageError when it cannot be written, or the place is ttapi's own.
    """
    document = json.loads(json.dumps(asdict(receipt), default=str))
    document["seal"] = _seal(document)
    with writing(file) as building:
        building.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_receipt(file: Path) -> Receipt:
    """The receipt in `file`, its seal checked.

    *Raises* UsageError for a file that is none, is damaged, or was edited.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise UsageError(f"{file} is no receipt, or a damaged one: {exc}") from exc
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise UsageError(f"{file} is no receipt of this ttapi", hint=f"one begins with {_FORMAT!r}")
    seal = document.pop("seal", None)
    if seal != _seal(document):
        raise UsageError(
            f"{file} is damaged or was edited: its seal does not match",
            hint="use the file as ttapi sql --receipt wrote it",
        )
    try:
        inputs = tuple(ReceiptInput(**entry) for entry in document.pop("inputs"))
        return Receipt(**document, inputs=inputs)
    except (TypeError, KeyError) as exc:
        raise UsageError(f"{file} is a receipt of another ttapi: {exc}") from exc


def _inputs(
    reader: Reader,
    environment: Environment,
    behind: Iterable[str],
    ages: Mapping[str, float | None],
) -> tuple[ReceiptInput, ...]:
    states = {
        row["dataset"]: row
        for row in _rows(reader, "select dataset, version, load_id, asked_at from catalog.state")
    }
    found = []
    for name in behind:
        dataset = environment.datasets[name]
        if dataset.kind not in {"raw", "table"}:
            continue
        state = states.get(name, {})
        asked = state.get("asked_at")
        found.append(
            ReceiptInput(
                name,
                state.get("version") or "",
                state.get("load_id"),
                f"{asked.isoformat()}Z" if asked else None,
                ages.get(name),
                dataset.fingerprint,
            )
        )
    return tuple(found)


def _select_of(model: Model) -> str:
    if model.kind != "macro":
        return model.body
    macro = macro_parts(model)
    return macro.body if macro.is_table else f"select {macro.body}"


def _rows(reader: Reader, sql: str) -> list[dict[str, Any]]:
    found = reader.run(sql)
    if found is None:
        raise QueryError(f"no answer to {sql}")
    rows: list[dict[str, Any]] = found.table.to_pylist()
    return rows


def _seal(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
