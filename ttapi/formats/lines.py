# SPDX-License-Identifier: Apache-2.0
"""Rows for people without frames: table, markdown, line."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from ttapi.formats.cells import cell_text, heads_of, is_number, padded, rows_of, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.formats.look import Look, Page


def write_table(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write aligned columns under a dashed line."""
    heads = heads_of(page.table, look.zone)
    rows = cells(page, look)
    right = [is_number(field.type) for field in page.table.schema]
    shown = [heads, *rows] if look.has_header else rows
    widths = [max((width_of(row[i]) for row in shown), default=0) for i in range(len(heads))]
    lines = [_line(row, widths, right) for row in rows]
    if look.has_header:
        lines[:0] = [_line(heads, widths, right), "  ".join("-" * width for width in widths)]
    _write(stream, [line.rstrip() for line in lines])


def write_markdown(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write a table as Markdown has it."""
    heads = heads_of(page.table, look.zone)
    right = [is_number(field.type) for field in page.table.schema]
    lines = [_barred(heads), "|" + "|".join(" ---: " if r else " --- " for r in right) + "|"]
    _write(stream, lines + [_barred(row) for row in cells(page, look)])


def write_line(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write one `column = value` a line, a blank line between rows."""
    heads = heads_of(page.table, look.zone)
    width = max((width_of(head) for head in heads), default=0)
    blocks = [
        "".join(
            f"{padded(head, width, is_right=True)} = {cell}".rstrip() + "\n"
            for head, cell in zip(heads, row, strict=True)
        )
        for row in cells(page, look)
    ]
    stream.write("\n".join(blocks).encode())


def cells(page: Page, look: Look, null: str = "") -> list[list[str]]:
    """The rows as text for people."""
    return [[cell_text(value, look, null) for value in row] for row in rows_of(page.table)]


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = zip(row, widths, right, strict=True)
    return "  ".join(padded(cell, width, is_right=is_right) for cell, width, is_right in parts)


def _barred(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _write(stream: IO[bytes], lines: Sequence[str]) -> None:
    stream.write("".join(f"{line}\n" for line in lines).encode())
