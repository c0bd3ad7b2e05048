# SPDX-License-Identifier: Apache-2.0
"""Rows for people in frames: box, and duckbox, which has types and keeps to the screen's width."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ttapi.formats.cells import fitted, heads_of, is_number, padded, shown, width_of
from ttapi.formats.lines import cells
from ttapi.formats.look import Look, Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_NARROWEST = 12
"""Screen columns below which a column is left out rather than cut further."""
_PROMPT_ROWS = 20
_PROMPT_WIDTH = 80
_ELIDED = "…"
_CUTTABLE = ("varchar", "struct", "map", "blob")
_TYPES = {
    "string": "varchar",
    "large_string": "varchar",
    "string_view": "varchar",
    "bool": "boolean",
    "date32[day]": "date",
    "binary": "blob",
    "time64[us]": "time",
    "null": "null",
    "month_day_nano_interval": "interval",
}


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


def write_box(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write a frame around heads and rows."""
    columns = _columns(page, look, heads_of(page.table, look.zone), [""] * page.table.num_columns)
    stream.write(_framed(columns, has_kinds=False, has_header=look.has_header).encode())


def write_duckbox(page: Page, stream: IO[bytes], look: Look) -> str | None:
    """Write a frame with types; the remark says which part of the columns was left out."""
    kinds = [type_text(field.type, look.zone) for field in page.table.schema]
    columns = _columns(page, look, [shown(name) for name in page.table.column_names], kinds)
    fitting = _fitting(columns, look.width)
    if page.is_cut:
        fitting = [
            _Column(c.head, c.kind, [*c.cells, *"···"[: len(c.cells)]], c.is_right) for c in fitting
        ]
    stream.write(_framed(fitting, has_kinds=True, has_header=look.has_header).encode())
    left_out = len(columns) - sum(1 for column in fitting if column.head != _ELIDED)
    if left_out > 0:
        return f"{len(columns) - left_out} of {len(columns)} columns shown; .mode line shows all"
    return None


def prompt_text(table: pa.Table, total: int, zone: str) -> str:
    """The first rows of an answer for a Python prompt, instants in `zone`, saying what was left out."""
    page = Page(table.slice(0, _PROMPT_ROWS), total)
    buffer = io.BytesIO()
    remark = write_duckbox(page, buffer, Look(zone=zone, width=_PROMPT_WIDTH))
    return buffer.getvalue().decode() + "\n".join([page.count_text, *([remark] if remark else [])])


def type_text(kind: pa.DataType, zone: str) -> str:
    """A column's type in the engine's word; of an instant, the zone it is shown in."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    if pa.types.is_timestamp(kind):
        return zone
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{type_text(kind.value_type, zone)}[]"
    text = str(kind)
    if text.startswith("decimal128"):
        return text.replace("decimal128", "decimal").replace(" ", "")
    return _TYPES.get(text, text.partition("<")[0])


def _columns(page: Page, look: Look, heads: Sequence[str], kinds: Sequence[str]) -> list[_Column]:
    rows = cells(page, look, "NULL")
    right = [is_number(field.type) for field in page.table.schema]
    return [
        _Column(head, kind, [row[i] for row in rows], right[i])
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
