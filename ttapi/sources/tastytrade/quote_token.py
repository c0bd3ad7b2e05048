# SPDX-License-Identifier: Apache-2.0
"""The token that opens dxFeed's feed, which tastytrade hands to its customers for a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import ResponseError
from ttapi.secret import Secret
from ttapi.sources.tastytrade.load import connected

if TYPE_CHECKING:
    from ttapi.sources.contract import SourceContext


@dataclass(frozen=True)
class FeedAccess:
    """Where the feed is and what opens it."""

    url: str
    token: str


async def quote_token_of(context: SourceContext) -> FeedAccess:
    """Asked of the vendor each time; the feed's client keeps it for a day.

    *Raises* CredentialError, ResponseError (a customer without an account has none), SourceDownError.
    """
    async with connected(context) as api:
        data, _ = await api.one("/api-quote-tokens")
    url, token = data.get("dxlink-url"), data.get("token")
    if not isinstance(url, str) or not isinstance(token, str):
        raise ResponseError("/api-quote-tokens", 200, "field 'token' or 'dxlink-url' is missing")
    # Known as a secret from here on: nothing that is logged shows it.
    return FeedAccess(url, Secret(token).reveal())
