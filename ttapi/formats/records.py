# SPDX-License-Identifier: Apache-2.0
"""Rows for programs: json, jsonl, csv, parquet, arrow. Instants in UTC, nothing cut.

Query results written to standard output or, whole or not at all, to a file.

A file that a user named to be written: whole or not at all, and as what it is.

Every door writes through here: `-o`, `.once`, `.export`, `--receipt`, `ttapi export`.
"""

from __future__ import annotations

import codecs
import csv
import errno
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ttapi.errors import DiskFullError, TtapiError, UsageError
from ttapi.formats import text as rendering
from ttapi.formats.text import DisplayStyle
from ttapi.formats.values import amount
from ttapi.home import refuse_home_path
from ttapi.sqltext import literal
from ttapi.store.files import sync_file, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.store.rows import Rows


# OWASP's list for CSV injection: what makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_json(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> str | None:
    """Write one array of objects."""
    del look  # JSON has one look
    stream.write(b"[")
    begin = 1
    for block in rows.json_lines(before=",\n", after=""):
        stream.write(block[begin:])
        begin = 0
    stream.write(b"\n]\n" if rows.table.num_rows else b"]\n")
    return _nonfinite_text(rows)


def write_jsonl(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> str | None:
    """Write one object a line."""
    del look  # JSON has one look
    for block in rows.json_lines():
        stream.write(block)
    return _nonfinite_text(rows)


def _nonfinite_text(rows: Rows) -> str | None:
    count = rows.count_nonfinite()
    return f"NaN or infinity in {amount(count, 'row')} is null: JSON has neither" if count else None


def write_csv(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write comma-separated values, RFC 4180: a missing value empty, an empty text quoted."""
    if look.has_header:
        stream.write(_csv_head([column.name for column in rows.columns], look.separator))
    for block in rows.csv_lines(look.separator, look.null or ""):
        stream.write(block)


def write_sheet(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write csv for a spreadsheet: what it would run as a formula gets an apostrophe, no number does."""
    stream.write(codecs.BOM_UTF8)
    names = [f"'{c.name}" if c.name.startswith(_FORMULA) else c.name for c in rows.columns]
    stream.write(_csv_head(names, look.separator))
    for block in rows.csv_lines(look.separator, escape=_harmless):
        stream.write(block)


def _csv_head(names: Sequence[str], separator: str) -> bytes:
    line = io.StringIO()
    # Before Python 3.13 a carriage return alone is written bare, and ends the row for who reads it.
    has_return = any("\r" in name for name in names)
    minimal = csv.writer(line, lineterminator="\n", delimiter=separator)
    quoting = csv.writer(line, lineterminator="\n", delimiter=separator, quoting=csv.QUOTE_ALL)
    (quoting if has_return else minimal).writerow(names)
    return line.getvalue().encode()


def _harmless(text: str) -> str:
    marks = " or ".join(f"starts_with({text}, {literal(mark)})" for mark in _FORMULA)
    return f"(case when {marks} then chr(39) || {text} else {text} end)"


def write_parquet(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> str | None:
    """Write a Parquet file, zstd."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    table, texts = rows.exact_table(is_parquet=True)
    pq.write_table(table, stream, compression="zstd")
    return _text_remark(texts, "Parquet")


def write_arrow(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> str | None:
    """Write an Arrow IPC stream."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    table, texts = rows.exact_table()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return _text_remark(texts, "Arrow")


def _text_remark(texts: Sequence[str], kind: str) -> str | None:
    verb = "is" if len(texts) == 1 else "are"
    return f"{', '.join(texts)} {verb} text: {kind} has no such type" if texts else None


Writer = Callable[["Rows", IO[bytes], DisplayStyle], "str | None"]


@dataclass(frozen=True)
class Format:
    """One way to write an answer."""

    write: Writer
    about: str
    is_for_people: bool = False
    """Whether a long answer is cut, and that said."""
    is_binary: bool = False
    holds_one: bool = False
    """Whether one output can hold one answer only."""
    endings: tuple[str, ...] = (".txt",)
    """Of files that it is written to."""


FORMATS: dict[str, Format] = {
    "table": Format(rendering.write_table, "aligned columns", True),
    "duckbox": Format(rendering.write_duckbox, "a frame with types, as wide as the screen", True),
    "box": Format(rendering.write_box, "a frame", True),
    "markdown": Format(rendering.write_markdown, "a Markdown table", True, endings=(".md", ".markdown", ".txt")),
    "line": Format(rendering.write_line, "one column a line", True),
    "csv": Format(write_csv, "comma-separated values, RFC 4180", endings=(".csv", ".tsv", ".txt")),
    "sheet": Format(write_sheet, "csv for a spreadsheet, formulas made harmless", endings=(".csv",)),
    "json": Format(write_json, "one array of objects", holds_one=True, endings=(".json",)),
    "jsonl": Format(write_jsonl, "one object a line", endings=(".jsonl", ".ndjson", ".jsonlines")),
    "html": Format(rendering.write_html, "an HTML table", True, endings=(".html", ".htm")),
    "parquet": Format(write_parquet, "a Parquet file", is_binary=True, holds_one=True, endings=(".parquet", ".pq")),
    "arrow": Format(
        write_arrow, "an Arrow IPC stream", is_binary=True, holds_one=True, endings=(".arrow", ".ipc", ".feather"),
    ),
}  # fmt: skip
"""Every format by name; a new one is one function and one row. The first of an ending is what it says."""
ALIASES = {
    "jsonlines": "jsonl",
    "ndjson": "jsonl",
    "md": "markdown",
    "list": "csv",
    "column": "table",
}


_OF_OTHERS = frozenset({
    ".xlsx", ".xls", ".ods", ".gz", ".zip", ".bz2", ".xz", ".zst", ".db", ".duckdb", ".sqlite", ".sql", ".avro",
    ".orc", ".pkl", ".h5", ".xml", ".yaml", ".pdf",
})  # fmt: skip
"""Endings that promise what no format here is."""


def endings() -> list[str]:
    """The ends of names that say a format."""
    return list(dict.fromkeys(ending for one in FORMATS.values() for ending in one.endings))


def format_of_file(target: Path, wanted: str = "auto", usual: str = "auto") -> str:
    """The format of an answer that goes to `target`: as its ending says, or as it is wanted.

    `usual`: of a name that says nothing, where nothing is wanted.

    *Raises* UsageError where name and wish contradict each other, and for an ending of none of them.
    """
    ending = target.suffix.lower()
    named = next((name for name, one in FORMATS.items() if ending in one.endings), None)
    # What comes after the last point is often no ending: a date, a version.
    is_word = ending[1:2].isalpha() and not takes_a_stream(target)
    if named is None and is_word and (wanted == "auto" or ending in _OF_OTHERS):
        raise UsageError(
            f"{target.name!r} says no format that is written here",
            hint=f"end it in one of {', '.join(endings())}"
            + ("" if ending in _OF_OTHERS else ", or name the format"),
        )
    if wanted == "auto":
        return named or ("csv" if usual == "auto" else format_named(usual))
    name = format_named(wanted)
    if named is not None and ending not in FORMATS[name].endings:
        raise UsageError(
            f"{target.name} says {named}, and {name} was asked for",
            hint=f"leave the format out, or end the name in another than {target.suffix}",
        )
    return name


def format_named(name: str) -> str:
    """The format's own name for `name`; auto is duckbox on a terminal, else csv.

    *Raises* UsageError for an unknown one.
    """
    name = ALIASES.get(name, name)
    if name == "auto":
        return "duckbox" if sys.stdout.isatty() else "csv"
    if name not in FORMATS:
        raise UsageError(f"{name!r} is no format", hint=f"auto, {', '.join(FORMATS)}")
    return name


def write_result(rows: Rows, fmt: str, target: Path | None, look: DisplayStyle) -> str | None:
    """Write `rows` to `target` (None: standard output); returns a remark for standard error, or None.

    *Raises* UsageError for an unknown format, a binary one aimed at a terminal, or a target that is
    ttapi's own; DiskFullError.
    """
    kind = FORMATS[format_named(fmt)]
    if target is not None:
        with writing(target) as building, building.open("wb") as stream:
            return kind.write(rows, stream, look)
    if kind.is_binary and sys.stdout.isatty():
        raise UsageError(
            f"{fmt} is binary; name a file with -o",
            hint="ttapi sql ... --format parquet -o out.parquet",
        )
    sys.stdout.flush()
    remark = kind.write(rows, sys.stdout.buffer, look)
    sys.stdout.flush()
    return remark


_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_SYSTEM = ("/dev/", "/proc/")
_IN_MEMORY = "/dev/shm/"  # noqa: S108 - a folder like any other


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Give the path to write: what lies there when the block ends well is what `target` holds.

    A link is followed; a file that is there keeps its mode and owner. A device, a pipe and a
    descriptor of this process are written into.

    *Raises* UsageError for a place of ttapi's own, and for one that cannot be written; DiskFullError.
    `target` then holds what it held.
    """
    refuse_home_path(target)
    try:
        with _poured(target) if takes_a_stream(target) else _replaced(target) as building:
            yield building
    except BrokenPipeError:
        # Whoever reads has read enough: told by the command, as of standard output.
        raise
    except OSError as exc:
        raise refusal(target, exc) from exc


def takes_a_stream(target: Path) -> bool:
    """Whether `target` is no file that another could take the place of."""
    place = os.path.normpath(target.absolute())
    if place.startswith(_SYSTEM) and not place.startswith(_IN_MEMORY):
        return True
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except OSError:
        return False


@contextmanager
def _poured(target: Path) -> Iterator[Path]:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with tempfile.TemporaryDirectory(prefix="ttapi-") as folder:
        building = Path(folder) / target.name
        yield building
        with building.open("rb") as written, target.open("wb") as stream:
            shutil.copyfileobj(written, stream)


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    place = Path(os.path.realpath(target))
    building = temporary_name(place)
    # Made first, so that a place that cannot be written is told before anything is done.
    building.unlink(missing_ok=True)
    building.open("xb").close()
    try:
        yield building
        _keep_mode(place, building)
        sync_file(building)
        building.replace(place)
        sync_folder(place.parent)
    finally:
        building.unlink(missing_ok=True)


def _keep_mode(place: Path, building: Path) -> None:
    """Have `building` be whose, and for whom, the file at `place` is; nothing where there is none."""
    try:
        before = place.stat()
    except FileNotFoundError:
        return
    # Only a privileged user may give a file away; anybody else's is his own.
    with suppress(PermissionError):
        os.chown(building, before.st_uid, before.st_gid)
    building.chmod(stat.S_IMODE(before.st_mode))


def refusal(target: Path, error: OSError) -> TtapiError:
    """What `error` says of writing to `target`."""
    text = error.strerror or str(error)
    if error.errno in _NO_ROOM:
        return DiskFullError(
            f"{target} could not be written: {text}", hint="nothing was left behind"
        )
    return UsageError(f"{target} cannot be written: {text}")
