# SPDX-License-Identifier: Apache-2.0
"""Rows for people in frames: box, and duckbox, which has types and keeps to the screen's width.

Rows for people without frames: table, markdown, line.

The rows to write, and how they are to look.

Rows as an HTML table, for a page and for a notebook.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from typing import IO, TYPE_CHECKING

from ttapi.formats.values import amount, fitted, grouped, padded, shown, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.store.rows import ResultColumn, Rows


def write_table(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write aligned columns under a dashed line."""
    heads = heads_of(rows.columns, look.zone)
    body = cells(rows, look)
    right = [column.is_number for column in rows.columns]
    shown_rows = [heads, *body] if look.has_header else body
    widths = [max((width_of(row[i]) for row in shown_rows), default=0) for i in range(len(heads))]
    lines = [_line(row, widths, right) for row in body]
    if look.has_header:
        lines[:0] = [_line(heads, widths, right), "  ".join("-" * width for width in widths)]
    _write(stream, [line.rstrip() for line in lines])


def write_markdown(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write a table as Markdown has it."""
    heads = heads_of(rows.columns, look.zone)
    right = [column.is_number for column in rows.columns]
    lines = [_barred(heads), "|" + "|".join(" ---: " if r else " --- " for r in right) + "|"]
    _write(stream, lines + [_barred(row) for row in cells(rows, look)])


def write_line(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write one `column = value` a line, a blank line between rows."""
    heads = heads_of(rows.columns, look.zone)
    width = max((width_of(head) for head in heads), default=0)
    blocks = [
        "".join(
            f"{padded(head, width, is_right=True)} = {cell}".rstrip() + "\n"
            for head, cell in zip(heads, row, strict=True)
        )
        for row in cells(rows, look)
    ]
    stream.write("\n".join(blocks).encode())


def cells(rows: Rows, look: DisplayStyle, null: str = "") -> list[list[str]]:
    """The rows as text for people, on one line and without control characters."""
    missing = null if look.null is None else look.null
    groups = [bool(look.thousands) and column.is_number for column in rows.columns]
    return [
        [
            missing if text is None else shown(grouped(text, look.thousands) if group else text)
            for text, group in zip(row, groups, strict=True)
        ]
        for row in rows.texts(look.zone)
    ]


def heads_of(columns: Sequence[ResultColumn], zone: str) -> list[str]:
    """ResultColumn names for people: an instant names its zone."""
    return [shown(f"{c.name} ({zone})" if c.is_instant else c.name) for c in columns]


def count_text(rows: Rows) -> str:
    """`3 rows`, or `1,000 of 60,137 rows shown`."""
    if rows.is_cut:
        return f"{rows.table.num_rows:,} of {rows.total:,} rows shown"
    return amount(rows.total, "row")


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = zip(row, widths, right, strict=True)
    return "  ".join(padded(cell, width, is_right=is_right) for cell, width, is_right in parts)


def _barred(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _write(stream: IO[bytes], lines: Sequence[str]) -> None:
    stream.write("".join(f"{line}\n" for line in lines).encode())


@dataclass(frozen=True)
class DisplayStyle:
    """How rows are shown; a format uses what concerns it."""

    zone: str = "America/New_York"
    """Zone in which formats for people show instants; the others are UTC."""
    null: str | None = None
    """Text of a missing value; None: the format's own."""
    has_header: bool = True
    separator: str = ","
    """Between the cells of csv."""
    thousands: str = ""
    """Between groups of three digits, in formats for people."""
    width: int = 0
    """Screen columns that duckbox may fill; 0: any number."""


_NARROWEST = 12
"""Screen columns below which a column is left out rather than cut further."""
_PROMPT_ROWS = 20
_PROMPT_WIDTH = 80
_ELIDED = "…"
_CUTTABLE = ("varchar", "struct", "map", "blob")


@dataclass(frozen=True)
class _Column:
    head: str
    kind: str
    cells: Sequence[str]
    is_right: bool

    @property
    def width(self) -> int:
        return max([width_of(self.head), width_of(self.kind), *map(width_of, self.cells)])

    def narrowed(self, width: int) -> _Column:
        """Text cut to `width`; a number or a date is shown whole or not at all."""
        if not self.kind.startswith(_CUTTABLE):
            width = max([width, *map(width_of, self.cells)])
        cut = [fitted(cell, width) for cell in self.cells]
        return _Column(fitted(self.head, width), fitted(self.kind, width), cut, self.is_right)


def write_box(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write a frame around heads and rows."""
    columns = _columns(rows, look, heads_of(rows.columns, look.zone), [""] * rows.table.num_columns)
    stream.write(_framed(columns, has_kinds=False, has_header=look.has_header).encode())


def write_duckbox(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> str | None:
    """Write a frame with types; the remark says which part of the columns was left out."""
    kinds = [look.zone if c.is_instant else c.type.text.lower() for c in rows.columns]
    columns = _columns(rows, look, [shown(c.name) for c in rows.columns], kinds)
    fitting = _fitting(columns, look.width)
    if rows.is_cut:
        fitting = [
            _Column(c.head, c.kind, [*c.cells, *"···"[: len(c.cells)]], c.is_right) for c in fitting
        ]
    stream.write(_framed(fitting, has_kinds=True, has_header=look.has_header).encode())
    left_out = len(columns) - sum(1 for column in fitting if column.head != _ELIDED)
    if left_out > 0:
        return f"{len(columns) - left_out} of {len(columns)} columns shown; .mode line shows all"
    return None


def prompt_text(rows: Rows, zone: str) -> str:
    """The first rows of an answer for a Python prompt, instants in `zone`, saying what was left out."""
    first = rows.head(_PROMPT_ROWS)
    buffer = io.BytesIO()
    remark = write_duckbox(first, buffer, DisplayStyle(zone=zone, width=_PROMPT_WIDTH))
    # The shell has a command that shows all columns, a program has a frame.
    more = [f"{remark.partition(';')[0]}; .pl() has all"] if remark else []
    return buffer.getvalue().decode() + "\n".join([count_text(first), *more])


def _columns(
    rows: Rows, look: DisplayStyle, heads: Sequence[str], kinds: Sequence[str]
) -> list[_Column]:
    body = cells(rows, look, "NULL")
    return [
        _Column(head, kind, [row[i] for row in body], rows.columns[i].is_number)
        for i, (head, kind) in enumerate(zip(heads, kinds, strict=True))
    ]


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that `width` holds: wide ones cut first, then middle ones left out, marked."""
    if not width or _frame_width(columns) <= width:
        return columns
    columns = _narrowed(columns, width)
    if _frame_width(columns) <= width:
        return columns
    mark = _Column(_ELIDED, "", [_ELIDED] * len(columns[0].cells), is_right=False)
    left, right = columns[:1], columns[1:][-1:]
    inner = columns[1:-1]
    while inner and _frame_width([*left, inner[0], mark, *right]) <= width:
        left = [*left, inner.pop(0)]
        if inner and _frame_width([*left, mark, inner[-1], *right]) <= width:
            right = [inner.pop(), *right]
    return [*left, mark, *right] if inner else [*left, *right]


def _narrowed(columns: list[_Column], width: int) -> list[_Column]:
    """The widest columns cut to one common width, no narrower than text can be read in."""
    for limit in range(max(c.width for c in columns), _NARROWEST - 1, -1):
        tried = [c if c.width <= limit else c.narrowed(limit) for c in columns]
        if limit == _NARROWEST or _frame_width(tried) <= width:
            return tried
    return columns


def _frame_width(columns: Sequence[_Column]) -> int:
    return sum(column.width + 3 for column in columns) + 1


def _framed(columns: Sequence[_Column], *, has_kinds: bool, has_header: bool) -> str:
    widths = [column.width for column in columns]
    lines = [_rule("┌┬┐", widths)]
    if has_header:
        lines.append(_row([c.head for c in columns], columns, widths))
        if has_kinds:
            lines.append(_row([c.kind for c in columns], columns, widths))
        lines.append(_rule("├┼┤", widths))
    rows = zip(*(column.cells for column in columns), strict=True)
    lines += [_row(row, columns, widths) for row in rows]
    lines.append(_rule("└┴┘", widths))
    return "".join(f"{line}\n" for line in lines)


def _rule(corners: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join("─" * (width + 2) for width in widths) + corners[2]


def _row(texts: Sequence[str], columns: Sequence[_Column], widths: Sequence[int]) -> str:
    parts = zip(texts, widths, columns, strict=True)
    inner = (f" {padded(text, width, is_right=c.is_right)} " for text, width, c in parts)
    return "│" + "│".join(inner) + "│"


_NOTEBOOK_ROWS = 50


def write_html(rows: Rows, stream: IO[bytes], look: DisplayStyle) -> None:
    """Write one table element; a caption says when rows were left out."""
    stream.write(html_text(rows, look).encode())


def html_text(rows: Rows, look: DisplayStyle) -> str:
    """One table element; a caption says when rows were left out."""
    right = [' style="text-align: right"' if c.is_number else "" for c in rows.columns]
    lines = ["<table>"]
    if rows.is_cut:
        lines.append(f"<caption>{count_text(rows)}</caption>")
    if look.has_header:
        heads = zip(heads_of(rows.columns, look.zone), right, strict=True)
        cells_of_head = "".join(f"<th{style}>{escape(head)}</th>" for head, style in heads)
        lines.append(f"<thead><tr>{cells_of_head}</tr></thead>")
    lines.append("<tbody>")
    for row in cells(rows, look):
        inner = zip(row, right, strict=True)
        line = "".join(f"<td{style}>{escape(cell)}</td>" for cell, style in inner)
        lines.append(f"<tr>{line}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def notebook_html(rows: Rows, zone: str) -> str:
    """The first rows of an answer for a notebook, instants in `zone`, saying how many there are."""
    return html_text(rows.head(_NOTEBOOK_ROWS), DisplayStyle(zone=zone))
