# SPDX-License-Identifier: Apache-2.0
"""`ttapi demo`: what `make demo` runs.

Where `ttapi demo` shows its commands: each is typed out, then run as a child process.

What is shown is what runs: the text is split as a shell would, `ttapi` and `python` are this
installation's, and nothing stands between their answers and the reader.

What `ttapi demo` shows, step by step: a sentence, a command, its answer.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.cli.demo_world import show_stream, show_vendors, vendors_running
from ttapi.config import require_extra
from ttapi.errors import TtapiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from ttapi.cli.demo_world import DemoHome


def register_demo(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    symbols: Annotated[int, typer.Option(help="Invented symbols.", hidden=True)] = 60,
    sessions: Annotated[int, typer.Option(help="Sessions of each.", hidden=True)] = 600,
) -> None:
    """Build a synthetic market in ./demo (or --home) and show the tool on it."""
    # Before the folder is emptied: its vendors are simulated.
    require_extra("simulate", "aiohttp", "ttapi demo")

    from ttapi.cli.demo_world import make_demo_home

    home = make_demo_home(context.obj or Path("demo"), symbols=symbols, sessions=sessions)
    show_demonstration(home)


_PROGRAMS = {"ttapi": (sys.executable, "-m", "ttapi"), "python": (sys.executable,)}


@dataclass(frozen=True)
class Beside:
    """A command that goes on beside the others."""

    typed: str
    child: subprocess.Popen[str]
    talk: IO[str]
    """What it says on standard error."""

    def first_line(self) -> str:
        """The first line of its answer, however long that takes.

        *Raises* TtapiError when it left without one.
        """
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            code = self.child.wait()
            self.talk.seek(0)
            error = TtapiError(
                f"the demo stopped: exit code {code} from {self.typed}",
                hint=self.talk.read().strip() or None,
            )
            error.exit_code = code if code > 0 else 1
            raise error
        return line


class Stage:
    """Standard output, and the children's environment: TTAPI_HOME is the demo's, TTAPI_NOW kept."""

    def __init__(self, root: Path) -> None:
        inherited = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith("TTAPI_") or name == "TTAPI_NOW"
        }
        self._environ: Mapping[str, str] = {
            **inherited,
            "TTAPI_HOME": str(root),
            # A transcript reads the same on a screen and in a file.
            "TTAPI_DISPLAY_FORMAT": "table",
            # A busy machine predicts long refreshes; nobody is asked whether to go on.
            "TTAPI_REFRESH_MAX_SECONDS": "86400",
        }
        self._steps = 0

    def step(self, title: str, *lines: str) -> None:
        """Print the heading of a step and what to see in it."""
        self._steps += 1
        self.say("", f"--- {self._steps}. {title} ".ljust(78, "-"), *lines)

    def say(self, *lines: str) -> None:
        """Print lines before anything a child says."""
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def export(self, name: str, value: str, shown: str | None = None) -> None:
        """Type an `export`, for all that is run from here on; `shown` stands for a secret."""
        self._environ = {**self._environ, name: value}
        self.say(f"$ export {name}={shown or shlex.quote(value)}")

    @contextmanager
    def running(self, typed: str) -> Iterator[Beside]:
        """Type a command that goes on beside the others, and end it after the block."""
        self.say("", f"$ {typed} &")
        argv = _argv(shlex.split(typed))
        with (
            TemporaryFile("w+", encoding="utf-8") as talk,
            subprocess.Popen(
                argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=talk,
                text=True,
            ) as child,
        ):
            try:
                yield Beside(typed, child, talk)
            finally:
                child.terminate()

    def run(self, typed: str, allowed: tuple[int, ...] = (0,)) -> None:
        """Type a command, or two with a pipe between, and let it answer.

        *Raises* TtapiError with its exit code when that is none of `allowed`.
        """
        self.say("", f"$ {typed}")
        words = shlex.split(typed)
        if "|" in words:
            at = words.index("|")
            codes = self._run_pipe(_argv(words[:at]), _argv(words[at + 1 :]))
        else:
            codes = [self._run_one(_argv(words))]
        failed = next((code for code in codes if code not in allowed), 0)
        if failed:
            error = TtapiError(f"the demo stopped: exit code {failed} from {typed}")
            error.exit_code = failed if failed > 0 else 1
            raise error

    def _run_one(self, argv: list[str]) -> int:
        # Talk goes where data goes, or a transcript kept in a file would lack half of it.
        return subprocess.run(
            argv, env=self._environ, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
        ).returncode

    def _run_pipe(self, left: list[str], right: list[str]) -> list[int]:
        with subprocess.Popen(
            left,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sys.stdout.fileno(),
        ) as first:
            second = subprocess.run(right, env=self._environ, stdin=first.stdout, check=False)
        return [first.returncode, second.returncode]


def _argv(words: list[str]) -> list[str]:
    program, *rest = words
    return [*_PROGRAMS.get(program, (program,)), *rest]


_VIEW = """\
-- about: Symbols calmer now than they were on nine days out of ten.
-- kind: view
-- grain: symbol
select
    c.symbol::varchar as symbol, -- upper case
    round(c.current, 4)::double as volatility, -- fraction a year, 21 sessions
    round(c.current_rank, 4)::double as rank -- fraction of past days calmer
from volatility_cone as c
where c.lookback = 21 and c.current_rank < 0.1
"""


def show_demonstration(home: DemoHome) -> None:
    """Run every step. *Raises* TtapiError with the exit code of the first that fails."""
    stage = Stage(home.root)
    _show_market(stage, home)
    with vendors_running(stage, home) as vendors:
        _make_home(stage, home)
        _ask_twice(stage, home)
        _refresh_the_rest(stage)
        _show_expirations(stage, home)
        _correct_a_bar(stage, home)
        _open_elsewhere(stage, home)
        _add_a_view(stage, home)
        show_vendors(stage, home, vendors)
    show_stream(stage, home)
    _show_the_way_on(stage, home)


def _show_market(stage: Stage, home: DemoHome) -> None:
    market = home.market
    stage.say(
        "ttapi keeps market data in one DuckDB file that refreshes itself when asked.",
        "",
        f"Written to {home.shown}/: an invented market. No symbol and no price is real.",
        f"  {len(market.symbols):,} files of daily bars, {market.rows:,} rows,"
        f" {market.first_session} to {market.last_session}",
        f"  {market.splits:,} splits, {market.dividends:,} dividends,"
        f" {len(market.absent):,} symbols with missing days, {len(market.flaws)} flawed rows",
    )


def _make_home(stage: Stage, home: DemoHome) -> None:
    stage.step(
        "A home for the database",
        "ttapi.toml says where the files lie. init makes the database, with the",
        "calendar and the option expirations; no bar is read yet.",
    )
    stage.say("", f"$ export TTAPI_HOME={shlex.quote(home.shown)}")
    stage.run(f"cat {shlex.quote(f'{home.shown}/ttapi.toml')}")
    stage.run("ttapi init")


def _ask_twice(stage: Stage, home: DemoHome) -> None:
    question = f"""ttapi sql "
select symbol, lookback, date,
       round(close_to_close, 4) as close_to_close,
       round(yang_zhang, 4) as yang_zhang
from volatility_latest
where symbol in ('{home.market.index_symbol}', '{_hero(home)}')
  and lookback in (21, 63, 252)
order by symbol, lookback\""""
    stage.step(
        "A question on stale data",
        "The answer needs bars that were never loaded. ttapi finds out what the query",
        "reads, loads that, builds what depends on it, and then answers.",
        "Volatilities are fractions a year: 0.25 is 25 %.",
    )
    stage.run(question)
    stage.step("The same question again", "Everything it reads is fresh: nothing is fetched.")
    stage.run(question)


def _refresh_the_rest(stage: Stage) -> None:
    stage.step(
        "Everything else",
        "refresh brings in what no query has asked for yet.",
    )
    stage.run("ttapi refresh")
    stage.say(
        "",
        "Bad lines were refused and kept, with file, line and reason. Prices that jump as",
        "in a split which no corporate action records are found as well.",
    )
    stage.run("""ttapi sql "
select file, line, reason from rejects order by file, line\"""")
    stage.run("""ttapi sql "
select code, subject, since::date as date from health where dataset = 'eod'\"""")


def _show_expirations(stage: Stage, home: DemoHome) -> None:
    hero = _hero(home)
    stage.step(
        "How far until expiration",
        f"{hero}: the standard deviation of its returns over as many sessions as each of",
        "its next five expirations is away, and the prices one such move from here.",
    )
    stage.run(f"""ttapi sql "
select expiration_date, dte_trading as sessions, round(stddev, 4) as stddev,
       round(low_1s, 2) as low_1s, last_close, round(high_1s, 2) as high_1s
from returns_stddev
where symbol = '{hero}'
order by expiration_date
limit 5\"""")
    stage.say(
        "",
        f"Its volatility cone: where the volatility of {hero} stands now (@) in its own",
        "history, for lookbacks of 5 to 252 sessions; percent a year.",
    )
    stage.run(f"""ttapi sql --format json "
select * from volatility_cone
where symbol = '{hero}' and lookback in (5, 10, 21, 63, 126, 252)
order by lookback" | python -m ttapi.cli.cone""")


def _correct_a_bar(stage: Stage, home: DemoHome) -> None:
    file = home.root / "metastock" / f"{_hero(home)}.csv"
    change = _correct_last_close(file)
    stage.step(
        "One file corrected",
        f"In {home.shown}/metastock/{file.name} the last close is corrected: {change}.",
        "The plan asks for that file alone, and rebuilds only what depends on it.",
    )
    stage.run("ttapi refresh --plan")
    stage.run("ttapi refresh")


def _open_elsewhere(stage: Stage, home: DemoHome) -> None:
    stage.step(
        "Any DuckDB client",
        "Plain DuckDB opens the file read-only, also while ttapi refreshes it.",
    )
    path = f"{home.shown}/market.duckdb"
    stage.run(f"""python -c "
import duckdb
market = duckdb.connect({_python_text(path)}, read_only=True)
print(market.sql('select count(*) as bars, max(date) as newest from eod'))\"""")


def _add_a_view(stage: Stage, home: DemoHome) -> None:
    view = home.root / "sql" / "views" / "calm.sql"
    view.parent.mkdir(parents=True, exist_ok=True)
    view.write_text(_VIEW, encoding="utf-8")
    stage.step(
        "A view of your own",
        "A file of SQL in the home folder is a relation, with the same checks and the",
        "same refreshing as those that ship with ttapi.",
    )
    stage.run(f"cat {shlex.quote(f'{home.shown}/sql/views/calm.sql')}")
    stage.run('ttapi sql "select * from calm order by rank, symbol limit 5"')


def _show_the_way_on(stage: Stage, home: DemoHome) -> None:
    program, folder = _program(), shlex.quote(home.shown)
    ways = (
        (f"{program} --home {folder} sql", "the shell; .help lists its commands"),
        (f"{program} --home {folder} status", "what is there, how old, why"),
        (f"{program} init --metastock FOLDER", "your own files, your own home"),
        (f"duckdb -readonly {folder}/market.duckdb", "or any other DuckDB client"),
    )
    width = max(len(typed) for typed, _ in ways)
    stage.step("Go on")
    stage.say("", *(f"$ {typed.ljust(width)}  # {remark}" for typed, remark in ways))


def _program() -> str:
    """How the user started ttapi: by name where the shell finds it, else by path."""
    started = Path(sys.argv[0]).absolute()
    found = shutil.which("ttapi")
    if started.name != "ttapi" or (found and Path(found).samefile(started)):
        return "ttapi"
    here = Path.cwd()
    return shlex.quote(str(started.relative_to(here) if started.is_relative_to(here) else started))


def _hero(home: DemoHome) -> str:
    """The first company: it split two for one, pays dividends, and misses no day."""
    return home.market.symbols[1]


def _correct_last_close(file: Path) -> str:
    """Raise the last close of a file by a cent; returns `12.34 becomes 12.35`."""
    lines = file.read_text(encoding="ascii").splitlines()
    cells = lines[-1].split(",")
    close = float(cells[7]) + 0.01
    change = f"{cells[7]} becomes {close:.2f}"
    high = max(float(cells[5]), close)
    lines[-1] = ",".join([*cells[:5], f"{high:.2f}", cells[6], f"{close:.2f}", *cells[8:]])
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
    return change


def _python_text(path: str) -> str:
    """A path as a Python literal that stands inside double quotes of a shell."""
    return "'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"
