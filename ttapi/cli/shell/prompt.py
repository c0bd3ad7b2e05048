# SPDX-License-Identifier: Apache-2.0
"""The line editor: completion, colours, history, many lines until a semicolon.

What was typed, kept in the home with mode 0600; what looks like a secret is not kept.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer, Completion, ThreadedCompleter
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings

from ttapi.cli.shell.options import is_dumb
from ttapi.cli.shell.session import LeaveShell
from ttapi.cli.terminal import tell
from ttapi.secret import scrubbed
from ttapi.sqltext import ends_entry, is_blank, is_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output

    from ttapi.cli.shell.names import SqlNames
    from ttapi.cli.shell.session import Session

_SECRET = re.compile(
    r"password|passwd|secret|token|credential|api_?key|\bkey\w*\s*(=|:=|')|bearer\s"
    r"|[?&][\w-]*(?:sig|signature)="  # of an address that is signed
    r"|://[^\s/@:']*:[^\s/@']+@",  # of an address: who:password@
    re.IGNORECASE,
)
LONGEST = 20_000
"""Characters of an entry that is kept."""


def looks_secret(text: str) -> bool:
    """Whether `text` may hold a password, a token or a key."""
    return bool(_SECRET.search(text))


class PrivateHistory(FileHistory):
    """A history file that only its owner reads."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self._file = file

    def append_string(self, string: str) -> None:
        """Keep what was typed, for this session only where it looks like a secret."""
        if not string.strip() or (self._loaded_strings and self._loaded_strings[0] == string):
            return
        super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write what was typed to the file; a file that cannot be written is done without."""
        if looks_secret(string) or scrubbed(string) != string or len(string) > LONGEST:
            return
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            super().store_string(string)
        except OSError:
            return


_STYLE = {
    "pygments.keyword": "bold ansiblue",
    "pygments.keyword.pseudo": "ansimagenta",
    "pygments.literal.string": "ansigreen",
    "pygments.literal.number": "ansicyan",
    "pygments.comment": "italic ansibrightblack",
    "pygments.name.function": "ansiyellow",
    "pygments.name.class": "bold",
    "auto-suggestion": "ansibrightblack",
}

_HEAD_START_S = 0.05


class BackgroundNames:
    """The catalog as the editor sees it: read in the background, once a generation."""

    def __init__(self, read: Callable[[], SqlNames]) -> None:
        self._read = read
        self._catalog: SqlNames | None = None
        self._thread: threading.Thread | None = None

    def now(self) -> SqlNames | None:
        """What is known at this moment; None: nothing yet."""
        return self._catalog

    def renew(self) -> None:
        """Begin to read what there is to name, without waiting for it."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._fetch, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Return when what was begun is read."""
        if self._thread is not None:
            self._thread.join()

    def _fetch(self) -> None:
        from ttapi.errors import TtapiError

        try:
            self._catalog = self._read()
        except TtapiError:
            # Completion then offers less; the next statement says what is wrong.
            return


class ShellCompleter(Completer):
    """Candidates from the catalog, as prompt_toolkit takes them."""

    def __init__(self, words: BackgroundNames) -> None:
        self._words = words

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What fits at the cursor."""
        del complete_event
        from ttapi.cli.shell.completion import candidates
        from ttapi.cli.shell.dot import COMMANDS
        from ttapi.cli.shell.names import SqlNames

        found = candidates(
            document.text, document.cursor_position, self._words.now() or SqlNames(), COMMANDS
        )
        for one in found:
            about = one.about if len(one.about) <= 60 else one.about[:59] + "…"
            yield Completion(one.text, start_position=-one.typed, display_meta=about or one.kind)


def is_entered(text: str) -> bool:
    """Whether Enter ends the entry: a dot-command, nothing, or a statement with its semicolon."""
    return (
        is_command(text)
        or not text.strip()
        or (ends_entry(text) and not is_blank(text))
        or text.strip() == ";"
    )


def run_prompt(
    session: Session,
    *,
    keyboard: Input | None = None,
    display: Output | None = None,
) -> int:
    """Read and do what is typed until the user leaves; the exit code."""
    words = BackgroundNames(lambda: session.catalog)
    editor = make_editor(session, words, keyboard=keyboard, display=display)
    try:
        while True:
            try:
                text = _asked(session, editor, words)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return 0
            if is_blank(text):
                continue
            _done(session, text)
            words.renew()
    except LeaveShell as exc:
        return exc.code
    finally:
        words.wait()


def make_editor(
    session: Session,
    words: BackgroundNames,
    *,
    keyboard: Input | None = None,
    display: Output | None = None,
) -> PromptSession[str]:
    """The editor of one session."""
    from ttapi.config import load_settings

    settings = load_settings(session.home, session.manners.environ)
    mode = EditingMode.VI if settings.shell_editing_mode == "vi" else EditingMode.EMACS
    return PromptSession(
        history=PrivateHistory(session.home.root / "shell_history"),
        completer=ThreadedCompleter(ShellCompleter(words)),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        editing_mode=mode,
        key_bindings=_keys(),
        multiline=True,
        enable_open_in_editor=True,
        enable_suspend=True,
        tempfile_suffix=".sql",
        enable_history_search=False,
        include_default_pygments_style=False,
        input=keyboard,
        output=display,
    )


def _asked(session: Session, editor: PromptSession[str], words: BackgroundNames) -> str:
    prompt = session.options.prompt
    is_coloured = session.options.is_highlighted and not is_dumb()

    def started() -> None:
        # The engine is loaded while the first line is typed, not before it can be.
        loop = editor.app.loop
        if loop is not None and words.now() is None:
            loop.call_later(_HEAD_START_S, words.renew)

    return editor.prompt(
        prompt,
        lexer=_lexer(words) if is_coloured else None,
        style=_style() if is_coloured else None,
        prompt_continuation=lambda width, *_: "...> ".rjust(width),
        pre_run=started,
    )


def _lexer(words: BackgroundNames) -> Any:
    from prompt_toolkit.lexers import PygmentsLexer
    from prompt_toolkit.lexers.pygments import SyncFromStart

    from ttapi.cli.shell.names import DuckdbLexer

    def made(**options: Any) -> DuckdbLexer:
        return DuckdbLexer(words.now, **options)

    return PygmentsLexer(made, syntax_sync=SyncFromStart())  # type: ignore[arg-type]  # it is called, no more


def _style() -> Any:
    from prompt_toolkit.styles import Style

    return Style.from_dict(_STYLE)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def ends() -> bool:
        from prompt_toolkit.application import get_app

        buffer = get_app().current_buffer
        return buffer.name == "DEFAULT_BUFFER" and is_entered(buffer.text)

    @keys.add("enter", filter=ends)
    def _accept(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("tab")
    def _complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        before = buffer.document.current_line_before_cursor
        if not before.strip():
            buffer.insert_text("    ")
        elif buffer.complete_state:
            buffer.complete_next()
        else:
            buffer.start_completion(insert_common_part=True)

    return keys


def _done(session: Session, text: str) -> None:
    """Do what was typed; nothing but leaving ends the session."""
    try:
        session.run_script(text)
    except LeaveShell:
        raise
    except KeyboardInterrupt:
        tell("\ninterrupted")
    except Exception as exc:  # noqa: BLE001 - a mistake of ours ends a statement, not the session
        tell(f"{type(exc).__name__}: {exc}")
        tell("this is a mistake in ttapi; the session goes on")
    sys.stdout.flush()
