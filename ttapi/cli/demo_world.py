# SPDX-License-Identifier: Apache-2.0
"""The home folder of the demonstration: made anew each time, never over anybody's data.

The part of the demonstration that goes over the network: simulated vendors on loopback.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from ttapi.cli.demo import Beside, Stage
    from ttapi.simulator import MarketSummary

SEED = 25
VENDOR_SEED = 7
MARKER = "MADE_BY_TTAPI_DEMO"
_MARKER_TEXT = "ttapi demo made this folder, and empties it before it runs again.\n"
_SETTINGS = """\
# What a user writes for data of their own: where the files lie.
[sources.metastock]
path = "{root}/metastock"
label = "synthetic"

[sources.files.corporate_actions]
path = "{root}/corporate_actions"

[sources.files.universes]
path = "{root}/universes"
"""


@dataclass(frozen=True)
class DemoHome:
    """A fresh home with a market beside it, and no database yet."""

    shown: str
    """The folder as the user named it."""
    root: Path
    market: MarketSummary
    now: datetime
    """Zone-aware UTC: the instant the demo takes for now."""


def make_demo_home(folder: Path, *, symbols: int, sessions: int) -> DemoHome:
    """`folder` emptied and filled with a market that ends at the last completed session.

    *Raises* UsageError for a folder that holds something else, or cannot be written.
    """
    from ttapi.api import operations
    from ttapi.clock import clock_from
    from ttapi.simulator import write_market
    from ttapi.simulator.vendor_market import VendorMarket

    root = folder.expanduser().absolute()
    now = clock_from(os.environ).now()
    last = operations.last_session(now)
    try:
        _empty(root)
        market = write_market(
            root,
            seed=SEED,
            last_session=last,
            symbols=symbols,
            sessions=sessions,
            avoid=frozenset(VendorMarket(VENDOR_SEED, now).symbols),
        )
        text = _SETTINGS.format(root=str(root).replace("\\", "\\\\").replace('"', '\\"'))
        (root / "ttapi.toml").write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{root} cannot be written: {exc.strerror}") from exc
    return DemoHome(str(folder), root, market, now)


def _empty(root: Path) -> None:
    """An empty folder with the marker in it."""
    if root.exists():
        if not root.is_dir():
            raise UsageError(f"{root} is no folder", hint="ttapi --home demo demo")
        children = list(root.iterdir())
        if children and not (root / MARKER).is_file():
            raise UsageError(
                f"{root} is not empty, and no earlier demo made it",
                hint="name a new folder: ttapi --home demo demo",
            )
        for child in children:
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child.name != MARKER:
                child.unlink()
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text(_MARKER_TEXT, encoding="utf-8")


LIST = "vendor"
_MIXED = "mixed"
"""As many symbols with files as without."""
_IN_FILES = 100
"""Of the vendor's symbols have a MetaStock file, which ends some sessions ago."""
_LACKING = timedelta(days=21)
_HISTORY = timedelta(days=60)
_HEADER = "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"


@contextmanager
def vendors_running(stage: Stage, home: DemoHome) -> Iterator[Beside]:
    """The simulators, until the block ends; they draw their market beside what is shown first."""
    stage.say("", "The vendors of step 9 are simulated. They draw their market beside the rest.")
    shown = shlex.quote(f"{home.shown}/vendors.json")
    with stage.running(
        f"ttapi simulate --seed {VENDOR_SEED} --ahead --fault missing-symbols:count=4 --port-file {shown}"
    ) as vendors:
        yield vendors


def show_vendors(stage: Stage, home: DemoHome, vendors: Beside) -> None:
    """Ask the simulators for 507 symbols twice, for bars, and for one symbol's options."""
    symbols = _write_files(home)
    stage.step(
        "Vendors over the network",
        f"The simulators speak tastytrade's REST and dxFeed's dxLink for {symbols} symbols.",
        "The names are real for some, every price is invented. Four are not answered.",
    )
    rest = json.loads(vendors.first_line())["tastytrade"]
    stage.say("")
    stage.export("TTAPI_TASTYTRADE_BASE_URL", rest["base_url"])
    stage.export("TTAPI_TASTYTRADE_CLIENT_SECRET", rest["client_secret"], "...")
    stage.export("TTAPI_TASTYTRADE_REFRESH_TOKEN", rest["refresh_token"], "...")
    # The limits are for strangers' servers; this one is ours.
    stage.export("TTAPI_TASTYTRADE_REQUESTS_PER_S", "200")
    # A busy machine answers late: fewer wait at once, and for longer.
    stage.export("TTAPI_TASTYTRADE_IN_FLIGHT", "20")
    stage.export("TTAPI_TASTYTRADE_GIVE_UP_S", "600")
    _ask(stage, home)
    _price_options(stage)


def show_stream(stage: Stage, home: DemoHome) -> None:
    """Record a few seconds of a market that moves, and read them with plain DuckDB."""
    stage.step(
        "Live",
        "A feed that runs the last session anew while the exchange is closed. What it",
        "streams is in the published file seconds later, for any DuckDB client.",
    )
    shown = f"{home.shown}/feed.json"
    with stage.running(
        f"ttapi simulate dxlink --seed {VENDOR_SEED} --moving --port-file {shlex.quote(shown)}"
    ) as feed:
        facts = json.loads(feed.first_line())["dxlink"]
        stage.say("")
        stage.export("TTAPI_DXLINK_URL", facts["url"])
        stage.export("TTAPI_DXLINK_TOKEN", facts["token"], "...")
        stage.run("ttapi stream SPY AAPL QQQ --types quotes,time_and_sales --for 3s")
    path = repr(f"{home.shown}/market.duckdb")
    stage.run(f"""python -c "
import duckdb
market = duckdb.connect({path}, read_only=True)
print(market.sql('select symbol, bid, ask, received_at from quotes'))\"""")


def _ask(stage: Stage, home: DemoHome) -> None:
    since = (home.market.last_session - _HISTORY).isoformat()
    asked = f"ttapi refresh market_metrics --list {LIST}"
    # Some symbols fail, which is exit code 1, and the rest is there.
    stage.run(asked, allowed=(0, 1))
    stage.say("", "Asked again, nothing is fetched: what is unknown is known to be, for an hour.")
    stage.run(asked)
    stage.step(
        "Files first, the feed completes",
        f"{_IN_FILES} symbols have MetaStock files that end three weeks ago. dxLink is asked for",
        f"what they lack, and for {_IN_FILES} more that have none.",
    )
    stage.run(f"ttapi refresh eod --list {_MIXED} --from {since} --yes")
    stage.run(f"""ttapi sql --no-refresh "
select e.source, count(distinct e.symbol) as symbols, count(*) as bars,
    max(e.date) as newest
from eod as e
join universes as u on u.symbol = e.symbol and u.name = '{_MIXED}'
group by e.source
order by e.source\"""")


def _price_options(stage: Stage) -> None:
    stage.step(
        "The implied side",
        "The query binds AAPL: its chain and the quotes of every contract are asked,",
        "stored as a snapshot, and priced in SQL: volatilities are fractions a year.",
    )
    stage.run("""ttapi sql "
select expiration_date, dte_calendar as days, round(forward, 2) as forward,
       round(implied_volatility, 4) as at_the_money,
       round(model_free_volatility, 4) as model_free
from term_structure
where underlying = 'AAPL' and dte_calendar > 0
order by expiration_date
limit 5\"""")
    stage.run("""ttapi sql "
select expiration_date, strike, option_type as type, bid, ask,
       round(implied_volatility, 4) as iv, round(delta, 3) as delta
from chain
where underlying = 'AAPL' and dte_calendar between 20 and 35
  and delta between 0.4 and 0.6
order by expiration_date, strike\"""")


def _write_files(home: DemoHome) -> int:
    """MetaStock files of some symbols, a list of these and as many more, and one of all; how many all are."""
    from ttapi.simulator.vendor_market import VendorMarket

    market = VendorMarket(VENDOR_SEED, home.now)
    until = home.market.last_session - _LACKING
    since = until - _HISTORY
    for symbol in market.symbols[:_IN_FILES]:
        name = symbol.replace("/", ".")
        lines = [
            f"{name},D,{bar.date:%Y%m%d},000000,{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume or 0},0"
            for bar in market.bars(symbol, since)
            if bar.date <= until
        ]
        _write(home.root / "metastock" / f"{name}.csv", [_HEADER, *lines])
    names = [symbol.replace("/", ".") for symbol in market.symbols]
    for named, members in ((LIST, names), (_MIXED, names[: 2 * _IN_FILES])):
        rows = [f"{named},{name}" for name in sorted(members)]
        _write(home.root / "universes" / f"{named}.csv", ["name,symbol", *rows])
    return len(names)


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
