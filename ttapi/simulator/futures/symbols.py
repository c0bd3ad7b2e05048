# SPDX-License-Identifier: Apache-2.0
"""The two spellings of an option on a future: `./ESU4 EW3N4 240719C4400` and `./EW3N24C4400:XCME`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttapi.simulator.futures.contracts import FutureOptions

_SYMBOL = re.compile(r"\./[A-Z0-9]+ ([A-Z0-9]+) \d{6}([CP])(\d+(?:\.\d+)?)")
_STREAMER = re.compile(r"\./([A-Z0-9]*[A-Z]\d\d)([CP])(\d+(?:\.\d+)?):X[A-Z]{3}")


@dataclass(frozen=True)
class FutureOption:
    """One option on a future."""

    options: FutureOptions
    option_type: str
    """`C` or `P`."""
    strike: Decimal
    """In the future's price."""

    @property
    def symbol(self) -> str:
        """As the vendor's REST interface writes it."""
        one = self.options
        future = one.future.symbol.removeprefix("/")
        return f"./{future} {one.code} {one.expires:%y%m%d}{self.option_type}{_plain(self.strike)}"

    @property
    def streamer_symbol(self) -> str:
        """As dxFeed writes it."""
        one = self.options
        exchange = one.future.product.streamer_exchange
        return f"./{one.streamer_code}{self.option_type}{_plain(self.strike)}:{exchange}"


@dataclass(frozen=True)
class Spelt:
    """What a symbol says of its option."""

    code: str
    option_type: str
    strike: Decimal


def read_future_option(text: str) -> Spelt | None:
    """What either spelling says; None when it is neither."""
    match = _SYMBOL.fullmatch(text) or _STREAMER.fullmatch(text)
    return Spelt(match[1], match[2], Decimal(match[3])) if match else None


def _plain(strike: Decimal) -> str:
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
