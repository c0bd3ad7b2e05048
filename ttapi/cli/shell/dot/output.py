# SPDX-License-Identifier: Apache-2.0
"""Dot-commands that set how and where answers are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.cli.shell.dot.command import DotCommand, counted, switched, words_in
from ttapi.cli.shell.dot.inspect import columns_of, show_lines
from ttapi.cli.terminal import tell
from ttapi.errors import UsageError
from ttapi.formats.records import FORMATS, format_named, format_of_file
from ttapi.home import refuse_home_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.cli.shell.session import Session


def _switch(name: str, field: str) -> Callable[[Session, str], None]:
    """The command that turns one option on or off."""

    def run(session: Session, rest: str) -> None:
        now = switched(rest, f"{name} on|off", now=getattr(session.options, field))
        setattr(session.options, field, now)
        if not rest.strip():
            tell(f"{name} {'on' if now else 'off'}")

    return run


def _number(name: str, field: str) -> Callable[[Session, str], None]:
    """The command that sets one number; without one it says what is set."""

    def run(session: Session, rest: str) -> None:
        if not rest.strip():
            tell(f"{name} {getattr(session.options, field)}")
            return
        setattr(session.options, field, counted(rest, f"{name} N"))

    return run


def _mode(session: Session, rest: str) -> None:
    words = words_in(rest, ".mode FORMAT")
    if not words:
        present = session.options.next_format
        show_lines(
            session,
            [
                f"{name:10}{' *' if name == present else '  '} {one.about}"
                for name, one in FORMATS.items()
            ],
        )
        return
    if words[0] != "auto":
        format_named(words[0])
    session.options.format = words[0]


def _expanded(session: Session, rest: str) -> None:
    is_line = switched(rest, ".expanded on|off", now=session.options.format == "line")
    session.options.format = "line" if is_line else "auto"


def _null(session: Session, rest: str) -> None:
    words = words_in(rest, ".nullvalue TEXT")
    session.options.null = words[0] if words else None


def _separator(session: Session, rest: str) -> None:
    word = words_in(rest, ".separator CHARACTER", least=1)[0].replace("\\t", "\t")
    if len(word) != 1:
        raise UsageError(f"{word!r} is not one character", hint=".separator ';'")
    session.options.separator = word


def _thousands(session: Session, rest: str) -> None:
    words = words_in(rest, ".thousand_sep [CHARACTER|off]")
    word = words[0] if words else ","
    session.options.thousands = "" if word == "off" else word[:1]


def _output(session: Session, rest: str) -> None:
    words = words_in(rest, ".output [FILE]")
    session.options.output = None
    if words and words[0] not in {"stdout", "-"}:
        format_of_file(Path(words[0]), session.options.format)
        session.options.output = _fresh_file(words[0])


def _once(session: Session, rest: str) -> None:
    word = words_in(rest, ".once FILE", least=1)[0]
    target = Path(word).expanduser()
    refuse_home_path(target)
    format_of_file(target, session.options.format)
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.absolute().parent} is no folder")
    session.options.once = target


def _log(session: Session, rest: str) -> None:
    words = words_in(rest, ".log [FILE|off]")
    if not words:
        tell(f".log {session.options.log or 'off'}")
        return
    session.options.log = None if words[0] == "off" else _fresh_file(words[0], is_emptied=False)


def _fresh_file(word: str, *, is_emptied: bool = True) -> Path:
    target = Path(word).expanduser()
    refuse_home_path(target)
    try:
        with target.open("w" if is_emptied else "a", encoding="utf-8"):
            pass
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
    return target.absolute()


def _prompt(session: Session, rest: str) -> None:
    words = words_in(rest, ".prompt TEXT")
    session.options.prompt = words[0] if words else "ttapi> "


def _print(session: Session, rest: str) -> None:
    show_lines(session, [" ".join(words_in(rest, ".print TEXT", most=999))])


def _safe_mode(session: Session, rest: str) -> None:
    words_in(rest, ".safe_mode", most=0)
    session.database.reader.forbid_files()
    session.options.is_safe = True
    tell("safe mode: no file, program or other home until the session ends")


def _show(session: Session, rest: str) -> None:
    words_in(rest, ".show", most=0)
    rows = [(name.replace("_", " "), _text(value)) for name, value in vars(session.options).items()]
    show_lines(session, columns_of(rows, ("setting", "value")))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else repr(value) if isinstance(value, str) else str(value)


COMMANDS = (
    DotCommand(
        ".mode", "[FORMAT]", "how answers look: auto, duckbox, box, table, csv, json and more",
        _mode, (".format",), "format",
    ),
    DotCommand(".expanded", "[on|off]", "one column a line", _expanded, ("\\x",), "switch"),
    DotCommand(".maxrows", "[N]", "rows that formats for people show; 0: all", _number(".maxrows", "max_rows")),
    DotCommand(
        ".maxwidth", "[N]", "columns of the screen duckbox fills; 0: the terminal's",
        _number(".maxwidth", "max_width"), (".width",),
    ),
    DotCommand(".nullvalue", "[TEXT]", "text of a missing value; none: the format's own", _null),
    DotCommand(
        ".header", "on|off", "column names above the rows",
        _switch(".header", "has_header"), (".headers",), "switch",
    ),
    DotCommand(".separator", "CHARACTER", "between the cells of csv", _separator),
    DotCommand(".thousand_sep", "[CHARACTER|off]", "between groups of three digits", _thousands),
    DotCommand(".once", "FILE", "the next answer goes to a file", _once, (), "file", is_unsafe=True),
    DotCommand(
        ".output", "[FILE]", "answers go to a file; none: to the screen again",
        _output, ("\\o",), "file", is_unsafe=True,
    ),
    DotCommand(
        ".timer", "[on|off]", "rows and seconds under each answer",
        _switch(".timer", "has_timer"), ("\\timing",), "switch",
    ),
    DotCommand(
        ".pager", "[on|off]", "answers taller than the screen go through $PAGER",
        _switch(".pager", "has_pager"), (), "switch",
    ),
    DotCommand(
        ".highlight", "[on|off]", "colours while typing",
        _switch(".highlight", "is_highlighted"), (), "switch",
    ),
    DotCommand(
        ".echo", "[on|off]", "statements are repeated before they run",
        _switch(".echo", "is_echoed"), (), "switch",
    ),
    DotCommand(
        ".bail", "[on|off]", "a script ends at its first error",
        _switch(".bail", "ends_at_error"), (), "switch",
    ),
    DotCommand(
        ".log", "[FILE|off]", "statements are noted in a file; what looks like a secret is not",
        _log, (), "file", is_unsafe=True,
    ),
    DotCommand(".print", "TEXT", "say something", _print, ("\\echo",)),
    DotCommand(".prompt", "[TEXT]", "the text before what is typed", _prompt),
    DotCommand(".safe_mode", "", "no file, program or other home until the session ends", _safe_mode),
    DotCommand(".show", "", "what the session is set to", _show),
)  # fmt: skip
