# SPDX-License-Identifier: Apache-2.0
"""The home folder of the demonstration: made anew each time, never over anybody's data."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

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
    from ttapi.config import now_from
    from ttapi.market.calendar import sessions as sessions_of
    from ttapi.simulator import write_market
    from ttapi.simulator.vendor_market import VendorMarket

    root = folder.expanduser().absolute()
    now = now_from(os.environ)
    last = sessions_of("XNYS").last_completed_session(now)
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
