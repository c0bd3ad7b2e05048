# SPDX-License-Identifier: Apache-2.0
"""Rows for programs: json, jsonl, csv, parquet, arrow. Instants in UTC, nothing cut.

Query results written to standard output or, whole or not at all, to a file.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.formats import text as rendering
from ttapi.formats.target import takes_a_stream, writing
from ttapi.formats.text import DisplayStyle
from ttapi.formats.values import amount
from ttapi.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
