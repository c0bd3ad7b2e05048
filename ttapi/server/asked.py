# SPDX-License-Identifier: Apache-2.0
"""What a request asks, before its model reads it: nothing said twice, and a body that is JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, get_origin

from ttapi.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel


def refuse_ambiguous(given: Sequence[tuple[str, str]], asked: type[BaseModel], method: str) -> None:
    """Nothing, or a Problem that names a parameter of which but one value would count, or none."""
    times = Counter(name for name, _ in given)
    if method == "POST" and times:
        raise Problem(422, f"{next(iter(times))}: what is asked of a POST stands in its body")
    lists = {
        one.alias or name
        for name, one in asked.model_fields.items()
        if get_origin(one.annotation) is list
    }
    for name, count in times.items():
        if count > 1 and name not in lists:
            raise Problem(422, f"{name}: given {count} times, and it has one value")


def require_object(body: bytes, content_type: str, asked: type[BaseModel]) -> None:
    """Nothing, or a Problem that says what the body lacks to be the JSON object that `asked` reads."""
    fields = asked.model_fields
    required = [name for name, one in fields.items() if one.is_required()]
    if not body:
        if fields:
            raise Problem(422, f"the body is missing: a JSON object{_named(required)}")
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):  # fmt: skip
        given = f"it is {kind}" if kind else "it is missing"
        raise Problem(422, f"content-type: {given}, and a body is application/json")
    try:
        found = json.loads(body, object_pairs_hook=_unambiguous)
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno} column {exc.colno}"
        raise Problem(422, f"the body is no JSON: {exc.msg} at {where}") from exc
    except UnicodeDecodeError as exc:
        raise Problem(422, "the body is no JSON: it is no UTF-8") from exc
    except ValueError as exc:
        raise Problem(422, "the body is no JSON: a number has too many digits") from exc
    if not isinstance(found, dict):
        raise Problem(422, f"the body is a JSON object{_named(required)}")


def _named(required: Sequence[str]) -> str:
    return f" with {', '.join(required)}" if required else ""


def _unambiguous(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object. *Raises* Problem for a name that stands twice: one value would be passed over."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for name, count in Counter(one for one, _ in pairs).items() if count > 1)
        raise Problem(422, f"{name}: given twice in one object")
    return found
