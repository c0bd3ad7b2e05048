# SPDX-License-Identifier: Apache-2.0
"""`%load_ext ttapi`: SQL in a notebook, its inputs made fresh first.

%ttapi select count(*) from eod
%%ttapi --out bars --max-age 1d
select * from eod where symbol = 'SPY'
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi.errors import TtapiError, UsageError
from ttapi.sqltext import tokenize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from ttapi.api import Answer, Database, PreparedQuery

_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_CODE = {"space", "sign", "name", "number", "end"}
"""Kinds of pieces of SQL in which a `$` begins a parameter."""
USAGE = "%%ttapi [--out NAME] [--no-refresh] [--max-age D] [--home DIR] SQL"


@dataclass(frozen=True)
class MagicLine:
    """What stands behind `%ttapi`."""

    sql: str
    out: str | None = None
    """The variable that takes the answer; None: it is shown."""
    refresh: bool = True
    max_age: str | None = None
    home: str | None = None


def read_line(line: str) -> MagicLine:
    """The options that `line` begins with, and the SQL after them. *Raises* UsageError."""
    given: dict[str, Any] = {}
    rest = line.strip()
    while rest.startswith("--") and not rest.startswith("-- "):
        word, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if word == "--no-refresh":
            given["refresh"] = False
            continue
        field = {"--out": "out", "--max-age": "max_age", "--home": "home"}.get(word)
        if field is None or not rest:
            raise UsageError(f"{word} is not understood", hint=USAGE)
        value, _, rest = rest.partition(" ")
        given[field] = shlex.split(value)[0]
        rest = rest.lstrip()
    if "out" in given and not given["out"].isidentifier():
        raise UsageError(f"--out {given['out']!r} cannot be a variable", hint=USAGE)
    return MagicLine(sql=rest, **given)


def bound_variables(sql: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that `sql` names as `$name`. *Raises* UsageError for one that there is not."""
    found = dict.fromkeys(
        _PARAMETER.findall("".join(p.text for p in tokenize(sql) if p.kind in _CODE))
    )
    for name in found:
        if name not in variables:
            raise UsageError(f"${name}: the notebook has no variable {name}", hint=f"{name} = ...")
    return {name: variables[name] for name in found}


class Magic:
    """The magic of one notebook: a database a home, kept open between cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._databases: dict[Path, Database] = {}

    def run(self, line: str, cell: str | None = None) -> Answer | None:
        """Run the SQL of a line or a cell; the answer, unless `--out` names a variable for it."""
        from IPython.core.error import UsageError as ShownError

        sql = ""
        try:
            read = read_line(line)
            sql = f"{read.sql}\n{cell or ''}".strip()
            answers = self._asked(read, sql)
        except TtapiError as exc:
            from ttapi.cli.terminal import error_lines

            # Shown without a traceback, and still an error of the cell.
            raise ShownError("\n".join(error_lines(exc, sql))) from exc
        *before, last = answers
        if before and read.out is None:
            from IPython.display import display

            for answer in before:
                if answer.rows is not None:
                    display(answer)  # type: ignore[no-untyped-call]  # IPython declares no types
        if read.out is None:
            return last
        self._shell.user_ns[read.out] = last
        return None

    def close(self) -> None:
        """Let go of every home."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()

    def _asked(self, read: MagicLine, sql: str) -> list[Answer]:
        from ttapi.api import Freshness, Watchers

        if not sql:
            raise UsageError("no SQL given", hint=USAGE)
        wanted = Freshness(refresh=read.refresh, max_age=read.max_age)
        watchers = Watchers(on_prepared=_tell_refreshed)
        database = self._database(read.home)
        variables = self._shell.user_ns
        with database.frames_in_scope(sql, variables):
            answers = list(
                database.answers(
                    sql, bound_variables(sql, variables), freshness=wanted, watchers=watchers
                )
            )
        if not answers:
            raise UsageError("no statement was given", hint=USAGE)
        return answers

    def _database(self, home: str | None) -> Database:
        from ttapi.api import Database
        from ttapi.home import find_home

        found = find_home(None if home is None else Path(home), os.environ)
        if found.root not in self._databases:
            self._databases[found.root] = Database(found)
        return self._databases[found.root]


def _tell_refreshed(prepared: PreparedQuery) -> None:
    """Say what a reader of the notebook would not expect: work done, warnings."""
    from ttapi.cli.terminal import tell_inputs

    if prepared.outcome is not None or prepared.warnings or prepared.unconfigured:
        tell_inputs(prepared)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add `%ttapi` and `%%ttapi` to IPython."""
    magic = Magic(shell)
    register: Any = shell.register_magic_function  # its decorators hide its signature
    register(magic.run, magic_kind="line_cell", magic_name="ttapi")
    # The engine's file is let go before the interpreter takes its own modules apart.
    atexit.register(magic.close)
