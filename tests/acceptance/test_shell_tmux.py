# SPDX-License-Identifier: Apache-2.0
"""A whole session in a real terminal of 80 columns and 24 lines, its screens a golden file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.compat

BARS = [
    "AAA,D,20240611,000000,10,11,9,10,1000,0",
    "AAA,D,20240612,000000,10,11,9,10.5,1000,0",
    "AAA,D,20240613,000000,10,11,9,10.2,1000,0",
]
PATIENCE_S = 600
_TIMES = re.compile(r"\d+(\.\d+)? (ms|s|min|h|d)\b")

SESSION = [
    ("select symbol, date, close\nfrom eod\norder by date;", "3 rows"),
    ("select * from eodd;", "did you mean eod?"),
    ("create temp table mine as select 'AAA' as symbol, 100 as shares;", "create, "),
    ("select e.symbol, max(e.close * m.shares) as worth\nfrom eod e join mine m using (symbol)\ngroup by all;", "1 row"),
    (".mode line", None),
    ("select * from volatility_latest where lookback = 5;", "quality ="),
    (".mode auto", None),
    ("select * from volatility_latest where lookback < 11;", "columns shown"),
    ("select * from range(60137) as t(n);", "1,000 of 60,137 rows shown"),
    ("select date, close from eod;", "3 rows"),
    (".chart line date close", "2024-06-13"),
    ("create view calm as select 1 as one;", ".save calm view"),
    ("select symbol, max(close) as top from eod group by all;", "1 row"),
    (".save tops", "in every other"),
    ("select * from tops;", "1 row"),
    ("\\d tops", "top "),
    (".tabels", "did you mean .tables?"),
]  # fmt: skip
"""What is typed, and the text by which its answer is known to be there."""


class Terminal:
    """A shell in tmux; waits for content, never for time alone."""

    def __init__(self, command, environ):
        self._socket = f"ttapi-{uuid.uuid4().hex[:8]}"
        size = ("-x", "80", "-y", "24")
        shell = f"env -i {environ} {command}"
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, shell)
        self._tmux("set-option", "-g", "remain-on-exit", "on")

    def _tmux(self, *arguments):
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def screen(self):
        lines = [line.rstrip() for line in self._tmux("capture-pane", "-p").splitlines()]
        return "\n".join(lines).strip("\n")

    def wait(self, found):
        """The screen once `found` says that it is the one waited for, and stands still."""
        end = time.monotonic() + PATIENCE_S
        before = None
        while time.monotonic() < end:
            now = self.screen()
            if now == before and found(now):
                return now
            before = now
        raise AssertionError(f"not seen within {PATIENCE_S} s:\n{before}")

    def keys(self, *keys):
        self._tmux("send-keys", *keys)

    def type(self, text):
        for number, line in enumerate(text.split("\n")):
            if number:
                self.keys("Enter")
            # tmux takes a semicolon at the end of a word for its own.
            self.keys("-l", re.sub(r";$", r"\\;", line))
        self.keys("Enter")

    def clear(self):
        self.keys("C-l")
        self.wait(lambda screen: screen == "ttapi>")

    def is_over(self):
        return self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def close(self):
        subprocess.run(
            ["tmux", "-L", self._socket, "kill-server"], check=False, capture_output=True
        )


@pytest.fixture
def terminal(lab):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: a real terminal cannot be driven")
    lab.write_bars("AAA.csv", BARS)
    lab.refresh()
    # A path of one length on every machine: lines wrap where they wrap.
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    short = folder / "home"
    short.symlink_to(lab.home.root)
    environ = {
        **lab.environ,
        "TTAPI_HOME": short,
        "TTAPI_NOW": lab.now.isoformat(),
        "HOME": lab.data,
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "screen-256color",
        "PAGER": "tail -n 8",
        "NO_COLOR": "1",
    }
    said = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in environ.items())
    one = Terminal(f"{sys.executable} -m ttapi sql", said)
    one.home = short
    yield one
    one.close()
    short.unlink()
    folder.rmdir()


def steady(screen, home):
    """The screen without what differs between runs: durations, the folder."""
    return _TIMES.sub("# ms", screen.replace(str(home), "HOME"))


def test_a_whole_session_is_as_its_golden_file(terminal, golden):
    screens = [terminal.wait(lambda screen: screen.endswith("ttapi>"))]
    assert "Ctrl-D leaves" in screens[0]
    for text, sign in SESSION:
        terminal.clear()
        terminal.type(text)
        screens.append(
            terminal.wait(
                lambda s, sign=sign: s.endswith("ttapi>") and s != "ttapi>" and (sign or "") in s
            )
        )
    terminal.clear()
    terminal.keys("-l", "select e.cl from eod e")
    terminal.keys(*["Left"] * len(" from eod e"))
    terminal.keys("Tab")
    screens.append(terminal.wait(lambda s: "e.close" in s))
    terminal.keys("C-c")
    terminal.wait(lambda s: s.endswith("\nttapi>"))
    terminal.clear()
    terminal.type("select count(*) from range(10000000000000);")
    terminal.wait(lambda s: "-- 0 calls" in s)
    terminal.keys("C-c")
    screens.append(terminal.wait(lambda s: s.endswith("interrupted\nttapi>")))
    terminal.clear()
    terminal.keys("C-d")
    terminal.wait(lambda _: terminal.is_over())
    rule = "\n" + "=" * 80 + "\n"
    golden("shell_session.txt", steady(rule.join(screens), terminal.home) + "\n")
