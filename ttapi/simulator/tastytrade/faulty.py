# SPDX-License-Identifier: Apache-2.0
"""What the faults make of a good answer: a refusal, another document, another body."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.wire import ApiError, Document

if TYPE_CHECKING:
    from ttapi.simulator.faults import Fault, Faults

PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n"
    "<center><h1>{0}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_MB = 1024 * 1024
_OAUTH = "/oauth"


class PageError(Exception):
    """The proxy before the vendor answers, with HTML."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.page = PAGE.format(title)


class ConnectionBrokenError(Exception):
    """The connection ends without an answer."""


def refuse(faults: Faults, path: str, place: int) -> None:
    """Nothing, or the refusal a fault wants for the request, the `place`-th since it was set.

    *Raises* ApiError, PageError or ConnectionBrokenError.
    """
    if faults.active("down") or _strike(faults, "reset", path):
        raise ConnectionBrokenError
    burst = faults.active("429-burst")
    if burst and burst.number("after") < place <= burst.number("after") + burst.number("count"):
        burst.struck += 1
        raise too_many()
    if _strike(faults, "html-401", path):
        raise PageError(401, "401 Authorization Required")
    if _strike(faults, "html-200", path):
        raise PageError(200, "Scheduled maintenance")
    if _strike(faults, "bad-gateway", path):
        raise PageError(502, "502 Bad Gateway")
    if _strike(faults, "forbidden", path):
        raise ApiError(403, "not_permitted", "User not permitted access")


def too_many() -> ApiError:
    """The refusal of one request too many: no header says when to come again."""
    return ApiError(429, "too_many_requests", "Too many requests")


def delay_s(faults: Faults, path: str) -> float:
    """How long the answer takes, beside the time to make it."""
    fault = _strike(faults, "slow", path)
    return fault.number("s") if fault else 0.0


def spoil(faults: Faults, path: str, document: Document) -> Document:
    """The document as faults leave it."""
    if fault := _strike(faults, "drift", path):
        name = str(fault.arguments["field"])
        document = _renamed(document, name, f"{name}-v2")
    if fault := _strike(faults, "missing-fields", path):
        for row in _rows(document)[:1]:
            row.pop(str(fault.arguments["field"]), None)
    if _strike(faults, "retype", path):
        for row in _rows(document)[:1]:
            row.update({key: [value] for key, value in row.items() if _is_number(value)})
    return document


def write_body(faults: Faults, path: str, document: Document) -> tuple[bytes, str | None]:
    """The bytes to send, and their content encoding."""
    body = json.dumps(document, separators=(",", ":")).encode()
    if _strike(faults, "truncate", path):
        return body[: len(body) // 2], None
    if fault := _strike(faults, "oversize", path):
        return _padded(body, int(fault.number("mb"))), None
    if fault := _strike(faults, "gzip-bomb", path):
        return gzip.compress(_padded(body, int(fault.number("mb"))), 9), "gzip"
    return body, None


def _strike(faults: Faults, name: str, path: str) -> Fault | None:
    """The fault when it is set and concerns the path; OAuth is left alone unless it is named."""
    fault = faults.active(name)
    wanted = str(fault.arguments.get("path", "")) if fault else ""
    if fault is None or not path.startswith(wanted or "/"):
        return None
    if path.startswith(_OAUTH) and not wanted:
        return None
    return faults.strike(name)


def _rows(document: Document) -> list[Document]:
    data = document.get("data")
    if not isinstance(data, dict):
        return [document]
    items = data.get("items")
    return list(items) if isinstance(items, list) else [data]


def _renamed(value: Document, name: str, other: str) -> Document:
    return {
        (other if key == name else key): _renamed_inside(item, name, other)
        for key, item in value.items()
    }


def _renamed_inside(value: object, name: str, other: str) -> object:
    if isinstance(value, dict):
        return _renamed(value, name, other)
    if isinstance(value, list):
        return [_renamed_inside(item, name, other) for item in value]
    return value


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    return isinstance(value, str) and value.replace(".", "", 1).replace("-", "", 1).isdecimal()


def _padded(body: bytes, size_mb: int) -> bytes:
    """Still JSON, only long: blanks before the last brace."""
    return body[:-1] + b" " * (size_mb * _MB) + body[-1:]
