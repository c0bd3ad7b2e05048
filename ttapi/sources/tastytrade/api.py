# SPDX-License-Identifier: Apache-2.0
"""The vendor's interface as calls: a list, all its pages, one object; refused answers are kept.

An answer of the vendor taken apart: its envelope, its list, its page, its refusal.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ttapi.errors import CredentialError, ResponseError
from ttapi.secret import may_hold_secret, scrubbed_value
from ttapi.sources.http import Request, Response, UnreadError
from ttapi.sources.tastytrade.fields import DriftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.sources.http import HttpClient
    from ttapi.sources.tastytrade.fields import Document
    from ttapi.sources.traffic import Quarantine

_TEXTS = {
    401: "the access token was refused",
    403: "not entitled",
    404: "not known",
    406: "this version of the interface is not served any more",
    422: "refused by a business rule",
}


def document_of(response: Response, quarantine: Quarantine) -> Document:
    """The JSON object of a good answer.

    *Raises* ResponseError naming endpoint, status and what is wrong; what is no JSON object is
    kept in quarantine. CredentialError for 401.
    """
    if response.status >= 400:
        raise _refusal(response, quarantine)
    try:
        document = json.loads(response.body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        kind = f" ({response.content_type})" if response.content_type else ""
        raise refused(response, quarantine, f"no JSON{kind}: {exc}") from exc
    if not isinstance(document, dict):
        raise refused(response, quarantine, "JSON, but no object")
    # What a vendor says back of our secrets does not get into a table.
    clean: Document = scrubbed_value(document) if may_hold_secret(response.body) else document
    return clean


def items_of(document: Document, response: Response, quarantine: Quarantine) -> list[Any]:
    """`data.items` of a list. *Raises* ResponseError where there is none."""
    data = document.get("data")
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise refused(response, quarantine, "field 'data.items' is no list")
    return items


def data_of(document: Document, response: Response, quarantine: Quarantine) -> Document:
    """`data` of a single object. *Raises* ResponseError where there is none."""
    data = document.get("data")
    if not isinstance(data, dict):
        raise refused(response, quarantine, "field 'data' is no object")
    return data


def pages_of(document: Document, response: Response, quarantine: Quarantine) -> int:
    """How many pages the list has; 1 where it is not paged. *Raises* ResponseError for nonsense."""
    block = document.get("pagination")
    if block is None:
        return 1
    pages = block.get("total-pages") if isinstance(block, dict) else None
    if isinstance(pages, bool) or not isinstance(pages, int) or not 0 <= pages <= 10_000:
        raise refused(response, quarantine, "field 'pagination.total-pages' is no number of pages")
    return max(1, pages)


def refused(response: Response, quarantine: Quarantine, reason: str) -> ResponseError:
    """The error for an answer that cannot be used, which is kept with the reason."""
    kept = quarantine.keep(response.endpoint, response.status, reason, response.body)
    return ResponseError(
        response.endpoint,
        response.status,
        reason,
        hint=f"the answer is kept in {kept.parent.parent.name}/{kept.parent.name}/{kept.name}"
        if kept
        else None,
    )


def _refusal(response: Response, quarantine: Quarantine) -> ResponseError | CredentialError:
    """The error for a status of 400 or above."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        # Something before the interface has answered: a proxy, a page of maintenance.
        kind = f" ({response.content_type})" if response.content_type else ""
        page = refused(response, quarantine, f"refused, with no JSON{kind}")
        return CredentialError(page.message, hint=page.hint) if response.status == 401 else page
    error = document.get("error") if isinstance(document, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    text = str(said) if said else _TEXTS.get(response.status, "refused")
    if response.status == 403:
        text = f"not entitled: {text}"
    if response.status == 401:
        return CredentialError(
            f"{response.endpoint}: status 401: {text}", hint="ttapi login stores new credentials"
        )
    is_unknown = response.status == 404 and isinstance(error, dict)
    return ResponseError(response.endpoint, response.status, text, is_unknown=is_unknown)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


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
