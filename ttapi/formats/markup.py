# SPDX-License-Identifier: Apache-2.0
"""Rows as an HTML table, for a page and for a notebook."""

from __future__ import annotations

from html import escape
from typing import IO, TYPE_CHECKING

from ttapi.formats.cells import heads_of, is_number
from ttapi.formats.lines import cells
from ttapi.formats.look import Look, Page

if TYPE_CHECKING:
    import pyarrow as pa

_NOTEBOOK_ROWS = 50


def write_html(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write one table element; a caption says when rows were left out."""
    stream.write(html_text(page, look).encode())


def html_text(page: Page, look: Look) -> str:
    """One table element; a caption says when rows were left out."""
    right = [
        ' style="text-align: right"' if is_number(field.type) else "" for field in page.table.schema
    ]
    lines = ["<table>"]
    if page.is_cut:
        lines.append(f"<caption>{page.count_text}</caption>")
    if look.has_header:
        heads = zip(heads_of(page.table, look.zone), right, strict=True)
        cells_of_head = "".join(f"<th{style}>{escape(head)}</th>" for head, style in heads)
        lines.append(f"<thead><tr>{cells_of_head}</tr></thead>")
    lines.append("<tbody>")
    for row in cells(page, look):
        inner = zip(row, right, strict=True)
        line = "".join(f"<td{style}>{escape(cell)}</td>" for cell, style in inner)
        lines.append(f"<tr>{line}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>", ""])


def notebook_html(table: pa.Table, total: int, zone: str) -> str:
    """The first rows of an answer for a notebook, instants in `zone`, saying how many there are."""
    return html_text(Page(table.slice(0, _NOTEBOOK_ROWS), total), Look(zone=zone))
