# SPDX-License-Identifier: Apache-2.0
"""What passes over the simulated REST interface: calls, replies, and how values are spelt.

*Source* developer.tastytrade.com: dasherized keys, decimals as strings, lists under `data.items`.

What all endpoints share, and what an endpoint is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttapi.simulator.accounts import AccountBook
    from ttapi.simulator.faults import Faults
    from ttapi.simulator.listings import Listing
    from ttapi.simulator.tastytrade.credentials import Credentials
    from ttapi.simulator.vendor_market import VendorMarket

Document = dict[str, Any]
"""A JSON object."""


class ApiError(Exception):
    """A refusal the vendor would send."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def document(self) -> Document:
        """The body of the refusal."""
        return {"error": {"code": self.code, "message": self.message}}


@dataclass(frozen=True)
class ApiCall:
    """One request, taken apart."""

    method: str
    path: str
    params: Mapping[str, str]
    """From the path, unquoted."""
    query: Sequence[tuple[str, str]]
    """In the order of the request; a key may come twice."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """From JSON or a form."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Keys in lower case."""

    def values(self, *names: str) -> list[str]:
        """All values of the names, with or without `[]`, repeated or as a comma list."""
        wanted = {*names, *(f"{name}[]" for name in names)}
        return [
            part.strip()
            for key, text in self.query
            if key in wanted
            for part in text.split(",")
            if part.strip()
        ]

    def value(self, name: str) -> str | None:
        """The last value of the name; None when it was not given."""
        found = [text for key, text in self.query if key == name]
        return found[-1] if found else None

    def flag(self, name: str) -> bool | None:
        """A true or false; None when it was not given."""
        text = self.value(name)
        return None if text is None else text.lower() in {"true", "1"}

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within limits.

        *Raises* ApiError 400 for anything else.
        """
        text = self.value(name)
        if text is None:
            return default
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ApiError(400, "validation_error", f"{name} must be {least} to {most}")
        return int(text)

    def day(self, name: str) -> date | None:
        """A date; None when it was not given.

        *Raises* ApiError 400 for anything else.
        """
        text = self.value(name)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise ApiError(400, "validation_error", f"{name} must be a date") from None


@dataclass(frozen=True)
class Reply:
    """One answer."""

    document: Document | None
    """None: no body."""
    status: int = 200


def one(call: ApiCall, data: Document) -> Reply:
    """A single object in its envelope."""
    return Reply({"data": data, "context": call.path})


def many(call: ApiCall, items: Sequence[Document]) -> Reply:
    """A list in its envelope, unpaged."""
    return Reply({"data": {"items": list(items)}, "context": call.path})


def paged(call: ApiCall, items: Sequence[Any], make: Any, *, per_page: int) -> Reply:
    """One page of a list; `make` turns a value into its document."""
    size = call.whole("per-page", per_page, 1, 2000)
    page = call.whole("page-offset", 0, 0, 1_000_000)
    shown = [make(item) for item in items[page * size : (page + 1) * size]]
    pages = max(1, -(-len(items) // size))
    others = [pair for pair in call.query if pair[0] not in {"page-offset", "per-page"}]

    def link(number: int) -> str | None:
        if not 0 <= number < pages:
            return None
        query = [*others, ("per-page", str(size)), ("page-offset", str(number))]
        return f"{call.path}?{urlencode(query)}"

    block = {
        "per-page": size,
        "page-offset": page,
        "item-offset": page * size,
        "total-items": len(items),
        "total-pages": pages,
        "current-item-count": len(shown),
        "previous-link": link(page - 1),
        "next-link": link(page + 1),
        "paging-link-template": None,
    }
    return Reply({"data": {"items": shown}, "context": call.path, "pagination": block})


def decimal(value: float | None, places: int = 2) -> str | None:
    """A number as the vendor writes it: a string; None stays None."""
    return None if value is None else f"{value:.{places}f}"


def instant(moment: datetime) -> str:
    """ISO 8601 with milliseconds and offset."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def filled(document: Document) -> Document:
    """The document without its empty fields: the vendor leaves those out."""
    return {key: value for key, value in document.items() if value is not None}


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
    answer: Callable[[TastytradeService, ApiCall], Reply]
    is_open: bool = False
    """Whether it is served without a token."""


def get(
    path: str, answer: Callable[[TastytradeService, ApiCall], Reply], *, is_open: bool = False
) -> Endpoint:
    """A GET endpoint."""
    return Endpoint("GET", path, answer, is_open)
