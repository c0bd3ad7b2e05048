# SPDX-License-Identifier: Apache-2.0
"""Rows for programs: json, jsonl, csv, parquet, arrow. All in UTC, nothing cut.

Query results written to standard output or, whole or not at all, to a file.
"""

from __future__ import annotations

import codecs
import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ttapi.errors import UsageError
from ttapi.formats import text as rendering
from ttapi.formats.target import writing
from ttapi.formats.text import DisplayStyle, Page
from ttapi.formats.values import names_of, plain, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# OWASP's list for CSV injection: what makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_json(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write one array of objects."""
    del look  # JSON has one look
    stream.write(b"[")
    for index, line in enumerate(_objects(page)):
        stream.write((b",\n" if index else b"\n") + line)
    stream.write(b"\n]\n" if page.table.num_rows else b"]\n")


def write_jsonl(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write one object a line."""
    del look  # JSON has one look
    for line in _objects(page):
        stream.write(line + b"\n")


def _objects(page: Page) -> Any:
    names = names_of(page.table)
    for row in rows_of(page.table):
        pairs = dict(zip(names, map(plain, row), strict=True))
        yield json.dumps(pairs, ensure_ascii=False).encode()


def write_csv(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write comma-separated values, RFC 4180, a missing value empty."""
    write = _row_writer(stream, look)
    if look.has_header:
        write(page.table.column_names)
    null = look.null or ""
    for row in rows_of(page.table):
        write([null if (v := plain(value)) is None else _csv_text(v) for value in row])


def _row_writer(stream: IO[bytes], look: DisplayStyle) -> Callable[[Sequence[Any]], None]:
    """Writes one row; `stream` stays whoever's it is, and is not closed with the writer."""
    text = codecs.getwriter("utf-8")(stream)
    minimal = csv.writer(text, lineterminator="\n", delimiter=look.separator)
    # Before Python 3.13 a carriage return alone is written bare, and ends the row for who reads it.
    quoting = csv.writer(text, lineterminator="\n", delimiter=look.separator, quoting=csv.QUOTE_ALL)

    def write(cells: Sequence[Any]) -> None:
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoting if has_return else minimal).writerow(cells)

    return write


def _csv_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else value


def write_sheet(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write csv for a spreadsheet: what it would run as a formula gets an apostrophe, no number does."""
    stream.write(codecs.BOM_UTF8)
    write = _row_writer(stream, look)
    write([_harmless(name) for name in page.table.column_names])
    for row in rows_of(page.table):
        cells = ("" if (v := plain(value)) is None else _csv_text(v) for value in row)
        write([_harmless(cell) if isinstance(cell, str) else cell for cell in cells])


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_parquet(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write a Parquet file, zstd."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    pq.write_table(page.table, stream, compression="zstd")


def write_arrow(page: Page, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write an Arrow IPC stream."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    with pa.ipc.new_stream(stream, page.table.schema) as writer:
        writer.write_table(page.table)


Writer = Callable[[Page, IO[bytes], DisplayStyle], "str | None"]


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
    "parquet": Format(write_parquet, "a Parquet file", is_binary=True, holds_one=True, endings=(".parquet",)),
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


def endings() -> list[str]:
    """The ends of names that say a format."""
    return list(dict.fromkeys(ending for one in FORMATS.values() for ending in one.endings))


def format_of_file(target: Path, wanted: str = "auto", usual: str = "auto") -> str:
    """The format of an answer that goes to `target`: as its ending says, or as it is wanted.

    `usual`: of a name that says nothing, where nothing is wanted.

    *Raises* UsageError where name and wish contradict each other.
    """
    ending = target.suffix.lower()
    named = next((name for name, one in FORMATS.items() if ending in one.endings), None)
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


def write_result(page: Page, fmt: str, target: Path | None, look: DisplayStyle) -> str | None:
    """Write `page` to `target` (None: standard output); returns a remark for standard error, or None.

    *Raises* UsageError for an unknown format, a binary one aimed at a terminal, or a target that is
    ttapi's own; DiskFullError.
    """
    kind = FORMATS[format_named(fmt)]
    if target is not None:
        with writing(target) as building, building.open("wb") as stream:
            return kind.write(page, stream, look)
    if kind.is_binary and sys.stdout.isatty():
        raise UsageError(
            f"{fmt} is binary; name a file with -o",
            hint="ttapi sql ... --format parquet -o out.parquet",
        )
    sys.stdout.flush()
    remark = kind.write(page, sys.stdout.buffer, look)
    sys.stdout.flush()
    return remark
