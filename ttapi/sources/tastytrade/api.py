# SPDX-License-Identifier: Apache-2.0
"""The vendor's interface as calls: a list, all its pages, one object; refused answers are kept."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ttapi.sources.exchange import Request, Response, UnreadError
from ttapi.sources.tastytrade.answer import data_of, document_of, items_of, pages_of, refused
from ttapi.sources.tastytrade.rows import DriftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.errors import ResponseError
    from ttapi.sources.http import HttpClient
    from ttapi.sources.quarantine import Quarantine
    from ttapi.sources.tastytrade.fields import Document

PER_PAGE = "1000"


class TastytradeApi:
    """Calls over one client; several may be in flight.

    Every method *raises* ResponseError for an answer that cannot be used, CredentialError when the
    vendor refuses who we are, SourceDownError when it cannot be reached.
    """

    def __init__(self, client: HttpClient, quarantine: Quarantine) -> None:
        self._client = client
        self._quarantine = quarantine

    async def one(self, path: str, endpoint: str = "") -> tuple[Document, Response]:
        """The object at `path`; and the answer it came in, for complaints."""
        response, document = await self._get(path, endpoint)
        return data_of(document, response, self._quarantine), response

    async def many(
        self, path: str, endpoint: str = "", params: Sequence[tuple[str, str]] = ()
    ) -> tuple[list[Any], Response]:
        """The items at `path`, all pages; and the first answer, for complaints."""
        response, document = await self._get(path, endpoint, params)
        items = items_of(document, response, self._quarantine)
        pages = pages_of(document, response, self._quarantine)
        others = await asyncio.gather(
            *(
                self._page(path, endpoint, [*params, ("page-offset", str(page))])
                for page in range(1, pages)
            )
        )
        for page in others:
            items += page
        return items, response

    def refused(self, response: Response, reason: str) -> ResponseError:
        """The error for an answer whose content cannot be used; it is kept with the reason."""
        return refused(response, self._quarantine, reason)

    @contextmanager
    def reading(self, response: Response) -> Iterator[None]:
        """Turn a DriftError inside the block into the refusal of `response`, which is kept."""
        try:
            yield
        except DriftError as exc:
            raise self.refused(response, str(exc)) from exc

    async def _page(self, path: str, endpoint: str, params: Sequence[tuple[str, str]]) -> list[Any]:
        response, document = await self._get(path, endpoint, params)
        return items_of(document, response, self._quarantine)

    async def _get(
        self, path: str, endpoint: str, params: Sequence[tuple[str, str]] = ()
    ) -> tuple[Response, Document]:
        request = Request("GET", path, endpoint or path, params=params)
        try:
            response = await self._client.send(request)
        except UnreadError as exc:
            part = Response(exc.endpoint, exc.status or 0, exc.body)
            raise self.refused(part, exc.reason) from exc
        return response, document_of(response, self._quarantine)
