# SPDX-License-Identifier: Apache-2.0
"""The envelope of an answer: what is no list, no object, no page, or no JSON is refused and kept."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from ttapi.errors import CredentialError, ResponseError
from ttapi.secret import Secret
from ttapi.sources.http import Response
from ttapi.sources.tastytrade.api import TastytradeApi, data_of, document_of, items_of, pages_of
from ttapi.sources.traffic import Quarantine

WHERE = "/things/{id}"


def answer(body, status=200, content_type="application/json"):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(WHERE, status, text, content_type)


def read(response, quarantine):
    """The document, its list and its pages."""
    document = document_of(response, quarantine)
    pages_of(document, response, quarantine)
    items_of(document, response, quarantine)
    return data_of(document, response, quarantine)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON (application/json): Expecting value"),
        (b'{"data": {"items": [1', "no JSON (application/json): "),
        (b'{"data": NaN}', "no JSON (application/json): NaN is no JSON number"),
        (b"\xff\xfe\x00", "no JSON (application/json): "),
        (b"[" * 100_000, "no JSON (application/json): "),
        ([1], "JSON, but no object"),
        ({"data": {}}, "field 'data.items' is no list"),
        ({"data": {"items": {}}}, "field 'data.items' is no list"),
        ({"data": None}, "field 'data.items' is no list"),
        ({"items": []}, "field 'data.items' is no list"),
        *(
            ({"data": {"items": []}, "pagination": pages}, "field 'pagination.total-pages' is no")
            for pages in (
                [],
                {},
                {"total-pages": "2"},
                {"total-pages": -1},
                {"total-pages": True},
                {"total-pages": 10**9},
            )
        ),
    ],
)
def test_an_answer_of_another_shape_is_refused_and_kept(tmp_path, body, said):
    with pytest.raises(ResponseError) as told:
        read(answer(body), Quarantine(tmp_path))
    assert str(told.value).startswith(f"{WHERE}: status 200: {said}")
    (kept,) = (tmp_path / "journal" / "quarantine").iterdir()
    assert f"journal/quarantine/{kept.name}" in str(told.value)
    assert kept.read_text().startswith(f"{WHERE}, status 200: {said}")
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, {"error": {"message": "expired"}}, CredentialError, "status 401: expired"),
        (401, {}, CredentialError, "status 401: the access token was refused"),
        (403, {"error": {"message": "no"}}, ResponseError, "status 403: not entitled: no"),
        (404, {"error": "gone"}, ResponseError, "status 404: not known"),
        (422, [], ResponseError, "status 422: refused by a business rule"),
        (418, {}, ResponseError, "status 418: refused"),
        (404, b"<html>", ResponseError, "status 404: refused, with no JSON (application/json)"),
        (401, b"<html>", CredentialError, "status 401: refused, with no JSON (application/json)"),
    ],
)
def test_refusals_say_what_the_vendor_said(tmp_path, status, body, kind, said):
    with pytest.raises(kind) as told:
        read(answer(body, status), Quarantine(tmp_path))
    assert told.value.message == f"{WHERE}: {said}"


def test_a_good_answer_is_its_data_without_our_secrets(tmp_path):
    secret = Secret("canary-of-an-answer")
    body = {"data": {"items": [], "note": f"you are {secret.reveal()}", secret.reveal(): 1}}
    assert read(answer(body), Quarantine(tmp_path)) == {
        "items": [],
        "note": "you are ***",
        "***": 1,
    }
    hidden = json.dumps(body).replace("canary", "\\u0063anary").encode()
    assert read(answer(hidden), Quarantine(tmp_path))["note"] == "you are ***"


def test_the_newest_answers_are_kept_and_where_none_can_be_the_message_still_comes(tmp_path):
    quarantine = Quarantine(tmp_path)
    kept = [quarantine.keep(WHERE, 200, "bad", str(n).encode()) for n in range(205)]
    # The order is that of their times, which a quick machine makes equal.
    for n, file in enumerate(kept):
        if file.exists():
            os.utime(file, (n, n))
    last = quarantine.keep(WHERE, 200, "bad", b"last")
    names = {file.name for file in last.parent.iterdir()}
    assert len(names) == 200
    assert last.name in names
    (tmp_path / "file").write_text("")
    assert Quarantine(tmp_path / "file").keep(WHERE, 200, "bad", b"") is None
    assert Quarantine(None).keep(WHERE, 200, "bad", b"") is None


@pytest.mark.parametrize(
    ("pages", "expected"),
    [(None, 1), ({"total-pages": 0}, 1), ({"total-pages": 1}, 1), ({"total-pages": 2}, 2), ({"total-pages": 10_000}, 10_000)],
)  # fmt: skip
def test_a_list_has_one_page_at_least(tmp_path, pages, expected):
    document = {"data": {"items": []}} | ({} if pages is None else {"pagination": pages})
    assert pages_of(document, answer(document), Quarantine(tmp_path)) == expected


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_list_is_read_to_its_last_page(tmp_path, pages):
    asked = []

    class Pages:
        async def send(self, request):
            asked.append(dict(request.params).get("page-offset"))
            items = [f"item of page {asked[-1] or 0}"]
            return answer({"data": {"items": items}, "pagination": {"total-pages": pages}})

    items, _ = asyncio.run(TastytradeApi(Pages(), Quarantine(tmp_path)).many("/things"))
    assert items == [f"item of page {n}" for n in range(pages)]
    assert asked == [None, "1", "2"][:pages]


def test_one_page_too_many_is_nonsense(tmp_path):
    document = {"data": {"items": []}, "pagination": {"total-pages": 10_001}}
    with pytest.raises(ResponseError, match="is no number of pages"):
        pages_of(document, answer(document), Quarantine(tmp_path))


@pytest.mark.parametrize(
    ("status", "body", "is_unknown"),
    [
        (400, {"error": {"code": "x", "message": "no"}}, False),
        (404, {"error": {"code": "not_found"}}, True),
        (404, {"error": "not_found"}, False),
        (404, {}, False),
        (403, {"error": {"code": "x"}}, False),
        (499, {}, False),
    ],
)
def test_only_the_interface_itself_says_that_there_is_no_such_thing(
    tmp_path, status, body, is_unknown
):
    with pytest.raises(ResponseError) as refused:
        document_of(answer(body, status), Quarantine(tmp_path))
    assert (refused.value.status, refused.value.is_unknown) == (status, is_unknown)


def test_a_status_below_400_is_an_answer(tmp_path):
    assert document_of(answer({"data": {}}, 399), Quarantine(tmp_path)) == {"data": {}}
