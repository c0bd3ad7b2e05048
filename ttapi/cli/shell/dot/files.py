# SPDX-License-Identifier: Apache-2.0
"""Dot-commands about files: scripts read, tables brought in, answers written, other homes."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.cli.shell.dot.command import DotCommand, words_in
from ttapi.cli.shell.session import LeaveShell
from ttapi.cli.shell.start import read_script
from ttapi.cli.terminal import tell
from ttapi.errors import QueryError, UsageError
from ttapi.formats.records import format_of_file, write_result
from ttapi.formats.text import count_text
from ttapi.formats.values import amount
from ttapi.home import refuse_home_path
from ttapi.sqltext import identifier, literal

if TYPE_CHECKING:
    from ttapi.api import Answer, Rows
    from ttapi.cli.shell.session import Session

_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".gz": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
_NAME = re.compile(r"[A-Za-z_]\w*")


def _read(session: Session, rest: str) -> None:
    word = words_in(rest, ".read FILE", least=1)[0]
    read_script(session, Path(word).expanduser())


def _import(session: Session, rest: str) -> None:
    word, table = words_in(rest, ".import FILE TABLE", least=2, most=2)
    file = Path(word).expanduser().absolute()
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise UsageError(f"{file.suffix!r} is no kind of file to import", hint=" ".join(_READERS))
    if not file.is_file():
        raise UsageError(f"{file} is no file")
    if not _NAME.fullmatch(table):
        raise UsageError(f"{table!r} cannot be a table", hint="letters, digits and _")
    known = session.catalog.relation(table)
    if known is not None and known.kind != "temporary":
        raise UsageError(
            f"{table} is already a {known.kind} of the database", hint="choose another name"
        )
    session.database.reader.run(
        f"create or replace temp table {identifier(table)} as select * from {reader}({literal(str(file))})"
    )
    session.renew_temporary()
    rows = session.rows(f'select count(*) from "{table}"')[0][0]
    tell(f"{table}: {amount(int(str(rows)), 'row')}, until the session ends")


def _export(session: Session, rest: str) -> None:
    usage = ".export FILE [RELATION or SELECT]"
    parts = words_in(rest, usage, least=1, most=9999)
    sql = rest.split(None, 1)[1].strip() if len(parts) > 1 else None
    write_answer(session, Path(parts[0]).expanduser(), sql)


def write_answer(session: Session, target: Path, sql: str | None) -> None:
    """Write the whole answer of `sql` (None: the last query) in the format its file name says.

    *Raises* UsageError for a name that says no format.
    """
    name = format_of_file(target)
    refuse_home_path(target)
    rows = whole_answer(session, sql, ".export FILE RELATION")
    zone = session.database.load_environment().settings.display_timezone
    write_result(rows, name, target, session.options.look(zone))
    tell(f"{target.absolute()}: {count_text(rows)}")


def whole_answer(session: Session, sql: str | None, usage: str) -> Rows:
    """Every row of `sql`, a relation or a query; of the last query where it is None."""
    if sql is None:
        if session.last is not None and session.last.rows and not session.last.rows.is_cut:
            return _rows_of(session.last)
        sql = last_query(session, usage)
    elif re.fullmatch(r"\"?[\w.]+\"?", sql):
        sql = f"select * from {sql}"
    answers = [one for one in session.answers(sql, keep_rows=None) if one.rows is not None]
    if not answers:
        raise QueryError("the statement gives no rows")
    return _rows_of(answers[-1])


def last_query(session: Session, usage: str) -> str:
    """The last statement that gave rows. *Raises* UsageError before there is one."""
    if session.last_sql is None:
        raise UsageError("there is no answer yet", hint=f"run a SELECT first, or: {usage}")
    return session.last_sql


def _rows_of(answer: Answer) -> Rows:
    rows = answer.rows
    assert rows is not None
    return rows


def _excel(session: Session, rest: str) -> None:
    words = words_in(rest, ".excel [FILE]")
    target = Path(words[0]).expanduser() if words else _free_name(session)
    refuse_home_path(target)
    format_of_file(target, "sheet")
    rows = whole_answer(session, None, ".excel")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_result(rows, "sheet", target, session.options.look("UTC"))
    tell(
        f"{target.absolute()}: {count_text(rows)}; text that a spreadsheet would run has a ' before it"
    )


def _free_name(session: Session) -> Path:
    folder = session.home.exports
    return next(file for n in count(1) if not (file := folder / f"answer-{n}.csv").exists())


def _copy(session: Session, rest: str) -> None:
    match = re.fullmatch(
        r"(\((?P<sql>.*)\)|(?P<relation>[\w.\"]+))\s+to\s+(?P<file>'[^']+'|\S+)(\s+.*)?",
        rest.strip(),
        re.IGNORECASE | re.DOTALL,
    )
    if match is None:
        raise UsageError(
            "\\copy RELATION or (SELECT) to FILE", hint="a file is brought in by .import FILE TABLE"
        )
    write_answer(
        session, Path(match["file"].strip("'")).expanduser(), match["sql"] or match["relation"]
    )


def _open(session: Session, rest: str) -> None:
    from ttapi.home import Home

    word = words_in(rest, ".open HOME", least=1)[0]
    session.open(Home(Path(word).expanduser().absolute()))
    tell(f"{session.home.root}: temporary tables of the other home are gone")


def _quit(session: Session, rest: str) -> None:
    del session  # whoever holds it closes it
    words = words_in(rest, ".quit [CODE]")
    if words and not words[0].isdigit():
        raise UsageError(f"{words[0]!r} is no exit code", hint=".quit 3")
    raise LeaveShell(int(words[0]) if words else 0)


COMMANDS = (
    DotCommand(
        ".read", "FILE", "run the statements and dot-commands in a file",
        _read, ("\\i",), "file", is_unsafe=True,
    ),
    DotCommand(
        ".import", "FILE TABLE", "a CSV, Parquet or JSON file as a temporary table",
        _import, (), "file", is_unsafe=True,
    ),
    DotCommand(
        ".export", "FILE [RELATION or SELECT]",
        "every row as a file; of the last query, unless one is given", _export, (), "file", is_unsafe=True,
    ),
    DotCommand(
        "\\copy", "RELATION or (SELECT) to FILE", "as .export, the way psql says it",
        _copy, (), "relation", is_unsafe=True,
    ),
    DotCommand(
        ".excel", "[FILE]", "the last answer as CSV for a spreadsheet, formulas made harmless",
        _excel, (), "file", is_unsafe=True,
    ),
    DotCommand(".open", "HOME", "go on in another home", _open, (), "file", is_unsafe=True),
    DotCommand(".quit", "[CODE]", "leave", _quit, (".exit", "\\q")),
)  # fmt: skip
