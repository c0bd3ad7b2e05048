# SPDX-License-Identifier: Apache-2.0
"""The two spellings of a contract: OCC's 21 characters and dxFeed's `.SPY250117C600`.

The two spellings of an option on a future: `./ESU4 EW3N4 240719C4400` and `./EW3N24C4400:XCME`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttapi.simulator.derivatives.contracts import FutureOptions

_OCC = re.compile(r"([A-Z][A-Z0-9 ]{5})(\d{6})([CP])(\d{8})")
_STREAMER = re.compile(r"\.([A-Z][A-Z0-9]*?)(\d{6})([CP])(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Contract:
    """One option."""

    root: str
    expiration: date
    option_type: str
    """`C` or `P`."""
    strike: Decimal
    """USD."""

    @property
    def occ_symbol(self) -> str:
        """Root padded to six, yymmdd, type, strike in thousandths: 21 characters."""
        thousandths = int(self.strike * 1000)
        return f"{self.root:6}{_six_digits(self.expiration)}{self.option_type}{thousandths:08d}"

    @property
    def streamer_symbol(self) -> str:
        """Dot, root, yymmdd, type, strike without trailing zeros."""
        strike = f"{self.strike:f}"
        strike = strike.rstrip("0").rstrip(".") if "." in strike else strike
        return f".{self.root}{_six_digits(self.expiration)}{self.option_type}{strike}"


@cache
def _six_digits(day: date) -> str:
    """Year, month, day; kept, because a chain spells a date hundreds of times."""
    return f"{day:%y%m%d}"


def read_occ_symbol(text: str) -> Contract | None:
    """The contract of an OCC symbol; None when it is none."""
    match = _OCC.fullmatch(text)
    if not match:
        return None
    root, day, option_type, thousandths = match.groups()
    return _contract(root.rstrip(), day, option_type, Decimal(int(thousandths)) / 1000)


def read_streamer_symbol(text: str) -> Contract | None:
    """The contract of a streamer symbol; None when it is none."""
    match = _STREAMER.fullmatch(text)
    if not match:
        return None
    root, day, option_type, strike = match.groups()
    return _contract(root, day, option_type, Decimal(strike))


def _contract(root: str, day: str, option_type: str, strike: Decimal) -> Contract | None:
    try:
        expiration = datetime.strptime(day, "%y%m%d").date()  # noqa: DTZ007 - a date, no instant
    except ValueError:
        return None
    return Contract(root, expiration, option_type, strike)


_SYMBOL = re.compile(r"\./[A-Z0-9]+ ([A-Z0-9]+) \d{6}([CP])(\d+(?:\.\d+)?)")
_FUTURE_STREAMER = re.compile(r"\./([A-Z0-9]*[A-Z]\d\d)([CP])(\d+(?:\.\d+)?):X[A-Z]{3}")


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
    match = _SYMBOL.fullmatch(text) or _FUTURE_STREAMER.fullmatch(text)
    return Spelt(match[1], match[2], Decimal(match[3])) if match else None


def _plain(strike: Decimal) -> str:
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
