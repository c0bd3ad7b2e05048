# SPDX-License-Identifier: Apache-2.0
"""Query results written to standard output or, whole or not at all, to a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ttapi.errors import DiskFullError, UsageError
from ttapi.formats import boxes, lines, markup, records
from ttapi.formats.look import Look, Page
from ttapi.store.own_place import refuse_own_place

Writer = Callable[[Page, IO[bytes], Look], "str | None"]


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


FORMATS: dict[str, Format] = {
    "duckbox": Format(boxes.write_duckbox, "a frame with types, as wide as the screen", True),
    "box": Format(boxes.write_box, "a frame", True),
    "table": Format(lines.write_table, "aligned columns", True),
    "markdown": Format(lines.write_markdown, "a Markdown table", True),
    "line": Format(lines.write_line, "one column a line", True),
    "csv": Format(records.write_csv, "comma-separated values, RFC 4180"),
    "sheet": Format(records.write_sheet, "csv for a spreadsheet, formulas made harmless"),
    "json": Format(records.write_json, "one array of objects", holds_one=True),
    "jsonl": Format(records.write_jsonl, "one object a line"),
    "html": Format(markup.write_html, "an HTML table", True),
    "parquet": Format(records.write_parquet, "a Parquet file", is_binary=True, holds_one=True),
    "arrow": Format(records.write_arrow, "an Arrow IPC stream", is_binary=True, holds_one=True),
}
"""Every format by name; a new one is one function and one row."""
ALIASES = {
    "jsonlines": "jsonl",
    "ndjson": "jsonl",
    "md": "markdown",
    "list": "csv",
    "column": "table",
}


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


def write_result(page: Page, fmt: str, target: Path | None, look: Look) -> str | None:
    """Write `page` to `target` (None: standard output); returns a remark for standard error, or None.

    *Raises* UsageError for an unknown format, a binary one aimed at a terminal, or a target that is
    ttapi's own; DiskFullError.
    """
    kind = FORMATS[format_named(fmt)]
    if target is not None:
        refuse_own_place(target)
        return _write_file(page, kind.write, target, look)
    if kind.is_binary and sys.stdout.isatty():
        raise UsageError(
            f"{fmt} is binary; name a file with -o",
            hint="ttapi sql ... --format parquet -o out.parquet",
        )
    sys.stdout.flush()
    remark = kind.write(page, sys.stdout.buffer, look)
    sys.stdout.flush()
    return remark


def _write_file(page: Page, write: Writer, target: Path, look: Look) -> str | None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.absolute().parent)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(descriptor, "wb") as stream:
            remark = write(page, stream, look)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except OSError as exc:
        Path(name).unlink(missing_ok=True)
        raise DiskFullError(
            f"{target} could not be written: {exc.strerror}", hint="nothing was left behind"
        ) from exc
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return remark
