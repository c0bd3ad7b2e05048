# SPDX-License-Identifier: Apache-2.0
"""An answer of the vendor taken apart: its envelope, its list, its page, its refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ttapi.errors import CredentialError, ResponseError
from ttapi.secret import may_hold_secret, scrubbed_value

if TYPE_CHECKING:
    from ttapi.sources.exchange import Response
    from ttapi.sources.quarantine import Quarantine
    from ttapi.sources.tastytrade.fields import Document

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
