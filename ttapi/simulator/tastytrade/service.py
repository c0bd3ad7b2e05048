# SPDX-License-Identifier: Apache-2.0
"""What all endpoints share, and what an endpoint is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.wire import ApiError, Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.simulator.accounts import AccountBook
    from ttapi.simulator.faults import Faults
    from ttapi.simulator.listings import Listing
    from ttapi.simulator.tastytrade.credentials import Credentials
    from ttapi.simulator.vendor_market import VendorMarket


@dataclass
class TastytradeService:
    """The simulated broker."""

    market: VendorMarket
    accounts: AccountBook
    credentials: Credentials
    faults: Faults
    dxlink_url: str = ""
    """Where the feed is, as /api-quote-tokens tells it."""
    is_strict: bool = False
    """Whether a User-Agent without product/version is refused."""

    def missing(self) -> frozenset[str]:
        """Symbols that a fault takes away."""
        fault = self.faults.active("missing-symbols")
        return (
            frozenset(self.market.symbols[-int(fault.number("count")) :]) if fault else frozenset()
        )

    def listing(self, symbol: str) -> Listing:
        """What the symbol is.

        *Raises* ApiError 404 for an unknown one.
        """
        if symbol not in self.market.symbols or symbol in self.missing():
            raise ApiError(404, "not_found", f"Couldn't find {symbol}")
        return self.market.listing(symbol)


@dataclass(frozen=True)
class Endpoint:
    """One row of the interface."""

    method: str
    path: str
    """As aiohttp writes it; the first match wins."""
    answer: Callable[[TastytradeService, Call], Reply]
    is_open: bool = False
    """Whether it is served without a token."""


def get(
    path: str, answer: Callable[[TastytradeService, Call], Reply], *, is_open: bool = False
) -> Endpoint:
    """A GET endpoint."""
    return Endpoint("GET", path, answer, is_open)
