# SPDX-License-Identifier: Apache-2.0
"""Command lines as most people write them, read without Typer: what they ask.

All else, `--help` and mistakes among it, is Typer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def _after_home(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The home that `arguments` begin with, None where they do not, and the words after it."""
    words = list(arguments)
    if words[:1] == ["--home"] and len(words) > 1:
        return Path(words[1]), words[2:]
    return None, words


def plain_status(arguments: Sequence[str]) -> tuple[Path | None, str | None, bool, bool] | None:
    """Home, dataset, whether as JSON and whether all, when `arguments` are a plain `status`; None for all else.

    `status` has 200 ms. Typer brings pydantic, which takes 110 of them, so the common forms are
    read here; anything unusual, `--help` and mistakes among it, goes Typer's way.
    """
    home, words = _after_home(arguments)
    if words[:1] not in (["status"], ["datasets"]):
        return None
    rest = [word for word in words[1:] if word not in {"--json", "--all"}]
    if len(rest) > 1 or any(word.startswith("-") for word in rest):
        return None
    return home, (rest[0] if rest else None), "--json" in words, "--all" in words


@dataclass(frozen=True)
class PlainRefresh:
    """A refresh of datasets, given as most people give it."""

    home: Path | None
    datasets: tuple[str, ...] = ()
    """Empty: all."""
    is_json: bool = False
    is_agreed: bool = False
    """`--yes`: nobody is asked."""


def plain_refresh(arguments: Sequence[str]) -> PlainRefresh | None:
    """What `arguments` ask, when they are a plain `refresh`; None for all else.

    Where nothing has changed, Typer would be a quarter of it.
    """
    home, words = _after_home(arguments)
    if words[:1] != ["refresh"]:
        return None
    names = [word for word in words[1:] if word not in {"--json", "--yes"}]
    if any(not word or word.startswith("-") for word in names):
        return None
    return PlainRefresh(home, tuple(names), "--json" in words, "--yes" in words)


def plain_word(arguments: Sequence[str], command: str) -> tuple[Path | None] | None:
    """Home, when `arguments` are `command` alone; None for all else.

    The first prompt of `sql` has 300 ms, `init` has better to do; as with `status`, what is unusual goes
    Typer's way.
    """
    home, words = _after_home(arguments)
    return (home,) if words == [command] else None


@dataclass(frozen=True)
class PlainQuery:
    """SQL to run once, given as most people give it."""

    home: Path | None
    statement: str | None
    commands: tuple[str, ...]
    """`-c`, in order."""
    fmt: str
    output: Path | None
    is_refreshed: bool


def plain_query(arguments: Sequence[str]) -> PlainQuery | None:
    """What `arguments` ask, when they are a plain `sql` with SQL; None for all else.

    A query on fresh data takes a quarter of a second, Typer 0.15 of one.
    """
    home, rest = _after_home(arguments)
    if rest[:1] != ["sql"]:
        return None
    words = iter(rest[1:])
    given: dict[str, list[str]] = {"sql": [], "-c": [], "--format": [], "-o": []}
    is_refreshed = True
    for word in words:
        name = {"--command": "-c", "--output": "-o"}.get(word, word)
        if name in given and name != "sql":
            value = next(words, None)
            if value is None:
                return None
            given[name].append(value)
        elif word == "--no-refresh":
            is_refreshed = False
        elif word.startswith("-"):
            return None
        else:
            given["sql"].append(word)
    statements, commands, formats, outputs = given.values()
    if len(statements) + bool(commands) != 1 or len(formats) > 1 or len(outputs) > 1:
        return None
    return PlainQuery(
        home,
        statements[0] if statements else None,
        tuple(commands),
        formats[0] if formats else "auto",
        Path(outputs[0]) if outputs else None,
        is_refreshed,
    )
