# SPDX-License-Identifier: Apache-2.0
"""The header of a SQL model file: comment lines `-- field: value`, each value checked where it stands.

What a header says of columns is held against those that the SELECT gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, UsageError, did_you_mean
from ttapi.market.calendar import parse_ttl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ttapi.models.model import Model

_TAIL = re.compile(r";\s*(--[^\n]*)?$")
_HEADER_LINE = re.compile(r"--\s*([a-z_]+):\s*(.*?)\s*$")
_CHECK = re.compile(r"(not_null|unique|range)\s*\(([^)]*)\)")
_KNOWN_FIELDS = {
    "about", "kind", "grain", "ttl", "check", "builder", "incremental", "private", "as_of",
    "keys",
}  # fmt: skip


@dataclass(frozen=True)
class HeaderCheck:
    """One header check: `not_null(a, b)`, `unique(grain)` or `range(x, lo, hi)`."""

    kind: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(self.arguments)})"


def split_header(text: str, file: str) -> tuple[dict[str, str], str, int]:
    """The header's fields, the statement, and the line it begins on."""
    fields: dict[str, str] = {}
    last: str | None = None
    lines = text.splitlines()
    start = len(lines)
    for index, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            last = None
            continue
        if not stripped.startswith("--"):
            start = index
            break
        if match := _HEADER_LINE.fullmatch(stripped):
            name, value = match[1], match[2]
            if name not in _KNOWN_FIELDS:
                known = ", ".join(sorted(_KNOWN_FIELDS))
                raise ModelError(
                    f"unknown header field {name!r}",
                    file=file,
                    line=index + 1,
                    hint=f"known: {known}",
                )
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
            last = name
        elif last and stripped.startswith("--   "):
            fields[last] = f"{fields[last]} {stripped[2:].strip()}"
        else:
            last = None
    body = _TAIL.sub("", "\n".join(lines[start:]).rstrip())
    if not body:
        raise ModelError("the file holds no statement", file=file, line=max(1, len(lines)))
    # A last line may end in a comment: what is put behind the statement must stand on its own.
    return fields, body + "\n", start + 1


def ttl_of(ttl: str | None, text: str, file: str) -> str | None:
    """`ttl` as it was written. *Raises* ModelError for one that says no time."""
    if ttl is not None:
        try:
            parse_ttl(ttl)
        except UsageError as exc:
            raise _wrong_value("ttl", exc.message, text, file, exc.hint) from exc
    return ttl


def is_private(value: str, text: str, file: str) -> bool:
    """What `private:` says. *Raises* ModelError for what is neither true nor false."""
    if value not in {"true", "false"}:
        raise _wrong_value("private", f"{value!r} is neither", text, file, "true or false")
    return value == "true"


def _wrong_value(name: str, message: str, text: str, file: str, hint: str | None) -> ModelError:
    return ModelError(f"{name}: {message}", file=file, line=line_of(name, text), hint=hint)


def line_of(name: str, text: str) -> int:
    """Where the header field `name` stands."""
    lines = enumerate(text.splitlines(), 1)
    return next((n for n, line in lines if re.match(rf"\s*--\s*{name}\s*:", line)), 1)


def names_in(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def keys_of(header: Mapping[str, str], incremental: str, text: str, file: str) -> str | None:
    """What `keys:` says. *Raises* ModelError where the table is not rebuilt by a key."""
    keys = header.get("keys")
    if keys and not incremental:
        raise ModelError(
            f"keys of {keys} are taken by the key of `incremental`, which is not said",
            file=file,
            line=line_of("keys", text),
        )
    return keys


def checks_in(text: str, file: str, line: int = 1) -> tuple[HeaderCheck, ...]:
    """The checks that `check:` names. *Raises* ModelError for one nobody knows."""
    found = tuple(HeaderCheck(m[1], names_in(m[2])) for m in _CHECK.finditer(text))
    rest = _CHECK.sub("", text).replace(",", "").strip()
    if rest:
        raise ModelError(
            f"unknown check {rest!r}",
            file=file,
            line=line,
            hint="not_null(x), unique(grain), range(x, lo, hi)",
        )
    return found


def refuse_equal_names(model: Model, names: Sequence[str]) -> None:
    """Nothing, or ModelError: of two equal names the engine keeps one, or calls the second otherwise."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.lower())
        seen[name.lower()] = name
        if other is not None:
            how = (
                f"{other} twice"
                if other == name
                else f"{other} and {name}, which differ in case only"
            )
            raise ModelError(
                f"it gives the columns {how}",
                file=model.file,
                line=model.body_line,
                hint="name each column as nothing else: select a.close as close_a, b.close as close_b",
            )


def require_named_columns(model: Model, columns: Collection[str]) -> None:
    """Nothing, or ModelError where the header names a column that the SELECT does not give."""
    given = {name.lower() for name in columns}
    named = [("grain", name) for name in model.grain]
    named += [("incremental", model.incremental)] if model.incremental else []
    for header, name in named:
        if name.lower() not in given:
            raise ModelError(
                f"{header}: {name!r} is no column of it",
                file=model.file,
                line=model.body_line,
                hint=did_you_mean(name, columns) or f"its columns: {', '.join(columns)}",
            )
