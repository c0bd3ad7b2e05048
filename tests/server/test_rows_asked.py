# SPDX-License-Identifier: Apache-2.0
"""What is asked of rows over HTTP and cannot be: told by name; and what a client has already, or nobody loaded."""

from __future__ import annotations

import pytest

from ttapi.server.routes import API
from ttapi.server.rows import condition_text

ROWS = f"{API}/relations/eod/rows"


SQL = [
    "'; drop table eod; --",
    "AAA' or '1'='1",
    '" or 1=1 --',
    "$$ || version() || $$",
    "\\",
    "%",
    "?",
    "$1",
    "x'||(select 1)||'",
    "\u0000",
    "; select * from catalog.meta",
    "a;b",
    "a\\;b",
]


@pytest.mark.parametrize("payload", SQL)
def test_a_value_is_a_value_whatever_stands_in_it(admin, bars, payload):
    for operator, total in (("eq", 0), ("ne", len(bars)), ("contains", 0)):
        where = condition_text("symbol", operator, payload)
        found = admin.get(ROWS, params={"where": where, "limit": 1}).json()
        assert found["total"] == total
    answer = admin.get(f"{API}/eod", params={"symbol": payload})
    assert (answer.status_code, answer.json()["total"]) == (200, 0)


@pytest.mark.parametrize("payload", [*SQL, "eod union select 1", "main.eod, raw.x", "duckdb_tables()", "eod; attach 'x'"])  # fmt: skip
def test_a_name_is_one_of_the_catalog_or_refused(admin, is_problem, payload):
    from urllib.parse import quote

    is_problem(admin.get(f"{API}/relations/{quote(payload, safe='')}/rows"), 404)
    for parameters in (
        {"columns": payload},
        {"order": payload},
        {"where": f"{payload}:eq:1"},
        {"where": f"symbol:{payload}:1"},
    ):
        if payload.strip(";\\ ") == "" and "columns" not in parameters:
            continue
        answer = admin.get(ROWS, params=parameters)
        is_problem(answer, 422)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("date:eq:yesterday", "'yesterday' is no DATE, which date is"),
        ("close:gt:1e", "'1e' is no DOUBLE, which close is"),
        ("known_at:lt:soon", "'soon' is no TIMESTAMP, which known_at is"),
        ("close:in:1,x", "'x' is no DOUBLE, which close is"),
        ("close:contains:1", "contains compares no DOUBLE, which close is"),
        ("symbol:like:A", "'like' compares nothing"),
        ("symbol:null:x", "symbol:null takes no value"),
        ("symbol:eq", "symbol:eq needs a value"),
        ("symbol", "'symbol' is no condition"),
    ],
)
def test_what_compares_nothing_is_told(admin, is_problem, where, said):
    assert said in is_problem(admin.get(ROWS, params={"where": where}), 422)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/eod?symbol=AAA&symbol=BBB", "symbol"),
        ("/eod?symbol=AAA&%73ymbol=AAA", "symbol"),
        ("/eod?symbol=AAA&from=2024-01-01&from=2024-02-01", "from"),
        ("/relations/eod/rows?limit=1&limit=2", "limit"),
        ("/relations?scope=all&scope=public", "scope"),
        ("/relations/eod?generation=1&generation=2", "generation"),
        ("/expirations?symbol=SPX&as_of=2024-01-02&as_of=2024-01-03", "as_of"),
        ("/datasets?limit=1&limit=2", "limit"),
        ("/plan?dataset=eod&dataset=calendar&force=true&force=false", "force"),
        ("/why/eod?key=AAA&key=2024-06-14&token=x&token=y", "token"),
    ],
)
def test_a_parameter_of_one_value_given_twice_is_refused_by_name(admin, is_problem, path, name):
    told = is_problem(admin.get(f"{API}{path}"), 422)
    assert told == f"{name}: given 2 times, and it has one value"


def test_parameters_in_the_url_of_a_post_are_refused_instead_of_ignored(admin, is_problem):
    answer = admin.post(f"{API}/sql?refresh=false", json={"sql": "select 1 as n"})
    assert is_problem(answer, 422) == "refresh: what is asked of a POST stands in its body"


def test_what_was_never_loaded_says_so_instead_of_an_age(daemon, admin):
    answer = admin.get(f"{API}/chain?symbol=AAA")
    never = answer.headers["x-ttapi-never-loaded"].split(",")
    assert {"raw.tastytrade_option_quotes", "raw.option_quotes"} <= set(never)
    assert "x-ttapi-data-age-s" not in answer.headers
    document = answer.json()
    assert (document["total"], document["notes"]) == (0, [f"never loaded: {', '.join(never)}"])
    live = admin.get(f"{API}/quotes?symbol=AAA", headers={"accept": "text/csv"})
    assert live.headers["x-ttapi-never-loaded"] == "raw.dxlink_quotes"
    # Nothing of a symbol is another thing than nothing at all.
    nobody = admin.get(f"{API}/eod?symbol=NOBODY")
    assert (nobody.json()["total"], nobody.json()["notes"]) == (0, [])
    assert "x-ttapi-never-loaded" not in nobody.headers
    assert float(nobody.headers["x-ttapi-data-age-s"]) >= 0


@pytest.mark.parametrize("day", ["bad", "2024-13-01", "0", ""])
def test_a_day_that_is_none_is_told_as_such(admin, is_problem, day):
    answer = admin.get(f"{API}/expirations", params={"symbol": "SPX", "as_of": day})
    assert is_problem(answer, 422) == f"as_of: {day!r} is no DATE (2024-06-14 works)"


@pytest.mark.parametrize(
    ("given", "status"),
    [("{0}", 304), ("W/{0}", 304), ('"other", W/{0}', 304), ("*", 304), ('W/"other"', 200)],
)
def test_what_a_client_has_already_is_not_sent_again(admin, given, status):
    etag = admin.get(f"{ROWS}?limit=1").headers["etag"]
    again = admin.get(f"{ROWS}?limit=1", headers={"if-none-match": given.format(etag)})
    assert (again.status_code, again.headers["etag"]) == (status, etag)
