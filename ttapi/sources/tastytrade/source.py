# SPDX-License-Identifier: Apache-2.0
"""The source `tastytrade`: what it offers, and which setting it waits for.

What speaks HTTP is imported when something is fetched.

The token that opens dxFeed's feed, which tastytrade hands to its customers for a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import ResponseError
from ttapi.secret import Secret
from ttapi.sources.contract import Batch, Resource, SourceContext, Unit, UnitRequest
from ttapi.sources.credentials import has_secret
from ttapi.sources.tastytrade.accounts import ACCOUNTS, BALANCES, POSITIONS, TRANSACTIONS
from ttapi.sources.tastytrade.market_fields import (
    CHAINS,
    CRYPTOCURRENCIES,
    EVENTS,
    FUTURE_OPTIONS,
    FUTURES,
    METRICS,
    OPTION_QUOTES,
    SEARCH,
    SYMBOLS,
    WATCHLISTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECRETS = ("client_secret", "refresh_token")
"""The grant: what `ttapi login` stores, in the order it is asked for."""
_UNITS = {
    "symbols": "equities",
    "watchlists": "public",
    "futures": "futures",
    "cryptocurrencies": "cryptocurrencies",
}
"""Where a resource is one unit for everybody; the user's own are the unit `me`."""


class TastytradeSource:
    """Asks tastytrade's REST interface; each symbol, or all accounts together, are a unit.

    Of `option_quotes` a symbol takes a call for its chain and one for every hundred contracts.

    Settings: `base_url` of the interface (default the vendor's); `client_secret` and
    `refresh_token` of the grant, which `ttapi login` stores; `requests_per_s` at most (default 20);
    `in_flight` at most (default 100); `give_up_s`, for how long a failing request is repeated
    (default 30).
    """

    name = "tastytrade"
    about = "Accounts, instruments, option chains, futures, metrics and events of tastytrade"
    version = "1"
    resources: tuple[Resource, ...] = (
        ACCOUNTS,
        BALANCES,
        POSITIONS,
        TRANSACTIONS,
        SYMBOLS,
        CHAINS,
        OPTION_QUOTES,
        METRICS,
        EVENTS,
        WATCHLISTS,
        SEARCH,
        FUTURES,
        FUTURE_OPTIONS,
        CRYPTOCURRENCIES,
    )
    setting_names = ("base_url", *SECRETS, "requests_per_s", "in_flight", "give_up_s", "ca_file")
    secret_names = SECRETS
    sql_folder: Path | None = None

    def prove_login(self, context: SourceContext) -> str:
        """What the vendor says to the credentials in `context`.

        *Raises* CredentialError when it refuses them, SourceDownError when it cannot be reached.
        """
        from ttapi.sources.tastytrade.fetch import prove  # noqa: PLC0415 - brings httpx and asyncio

        return prove(context)

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:  # noqa: ARG002 - same for all
        """The part of the grant that nobody gave."""
        missing = [name for name in SECRETS if not has_secret(self.name, name, context)]
        return missing[0] if missing else None

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:  # noqa: ARG002 - the contract's
        """The one unit of a resource that is not asked symbol by symbol; no network is touched."""
        return [] if resource.requires else [Unit(_UNITS.get(resource.name, "me"))]

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """Batches of units as they are answered, one report for every request.

        *Raises* SourceDownError when the vendor cannot be reached, CredentialError when it refuses
        who we are, UsageError for a wrong setting.
        """
        if not requests:
            return
        from ttapi.sources.tastytrade.fetch import load  # noqa: PLC0415 - brings httpx and asyncio

        yield from load(resource, requests, context)


@dataclass(frozen=True)
class FeedAccess:
    """Where the feed is and what opens it."""

    url: str
    token: str


async def quote_token_of(context: SourceContext) -> FeedAccess:
    """Asked of the vendor each time; the feed's client keeps it for a day.

    *Raises* CredentialError, ResponseError (a customer without an account has none), SourceDownError.
    """
    from ttapi.sources.tastytrade.fetch import connected  # noqa: PLC0415 - brings httpx and asyncio

    async with connected(context) as api:
        data, _ = await api.one("/api-quote-tokens")
    url, token = data.get("dxlink-url"), data.get("token")
    if not isinstance(url, str) or not isinstance(token, str):
        raise ResponseError("/api-quote-tokens", 200, "field 'token' or 'dxlink-url' is missing")
    # Known as a secret from here on: nothing that is logged shows it.
    return FeedAccess(url, Secret(token).reveal())
