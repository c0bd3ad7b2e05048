# SPDX-License-Identifier: Apache-2.0
"""Rows over HTTP: as the relation itself says them, piece by piece, in every format, of one generation."""

from __future__ import annotations

import io
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.server.routes import API
from ttapi.server.rows import condition_text, cursor_for, digest_of

ROWS = f"{API}/relations/eod/rows"
COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume", "source", "known_at")
OF_TEXT = ("symbol", "source")


def ask(client, **parameters):
    answer = client.get(ROWS, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_json(row):
    """A row of the file as JSON writes it."""

    def value(one):
        if isinstance(one, datetime):
            return one.isoformat() + "Z"
        if isinstance(one, date):
            return one.isoformat()
        return one

    return {name: value(one) for name, one in row.items()}


COMPARISONS = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "contains": lambda a, b: b in a,
    "starts": lambda a, b: a.startswith(b),
}


def text_of(value):
    return repr(value) if isinstance(value, float) else str(value)


@st.composite
def conditions(draw, rows):
    column = draw(st.sampled_from(COLUMNS))
    operator = draw(st.sampled_from([*COMPARISONS, "in", "null", "notnull"]))
    if operator in {"contains", "starts"}:
        column = draw(st.sampled_from(OF_TEXT))
    values = [row[column] for row in draw(st.lists(st.sampled_from(rows), min_size=1, max_size=3))]
    return column, operator, values


def holds(row, condition):
    column, operator, values = condition
    value = row[column]
    if operator in {"null", "notnull"}:
        return (value is None) == (operator == "null")
    if value is None:
        return False
    if operator == "in":
        return value in values
    return COMPARISONS[operator](value, values[0])


def written(condition):
    column, operator, values = condition
    if operator in {"null", "notnull"}:
        return f"{column}:{operator}"
    text = ",".join(map(text_of, values)) if operator == "in" else text_of(values[0])
    return condition_text(column, operator, text)


def ranked(rows, order):
    """The rows in an order, missing values last, the grain between equals."""
    found = sorted(rows, key=lambda row: (row["symbol"], row["date"]))
    for name, descends in reversed(order):
        there = [row for row in found if row[name] is not None]
        missing = [row for row in found if row[name] is None]
        levels = sorted({row[name] for row in there}, reverse=descends)
        there = [row for level in levels for row in there if row[name] == level]
        found = there + missing
    return found


@given(data=st.data())
def test_where_and_order_give_what_the_relation_itself_says(daemon, admin, bars, data):
    wanted = data.draw(st.lists(conditions(bars), max_size=3))
    order = data.draw(
        st.lists(st.tuples(st.sampled_from(COLUMNS), st.booleans()), max_size=3, unique_by=lambda o: o[0])
    )  # fmt: skip
    offset = data.draw(st.integers(0, 130))
    limit = data.draw(st.integers(1, 130))
    found = ask(
        admin,
        where=";".join(map(written, wanted)),
        order=",".join(f"{'-' * descends}{name}" for name, descends in order),
        offset=offset,
        limit=limit,
    )
    right = ranked([row for row in bars if all(holds(row, c) for c in wanted)], order)
    assert found["total"] == len(right)
    assert found["rows"] == [as_json(row) for row in right[offset : offset + limit]]


@pytest.mark.parametrize("order", ["", "close", "-open,close", "-source"])
@pytest.mark.parametrize("limit", [1, 7, 60, 125, 1000])
def test_a_cursor_visits_every_row_once(admin, bars, order, limit):
    if limit == 1 and order:
        return
    seen, cursor, generations = [], None, set()
    while True:
        given = {"cursor": cursor} if cursor else {}
        piece = ask(admin, order=order, limit=limit, columns="symbol,date", **given)
        seen += [(row["symbol"], row["date"]) for row in piece["rows"]]
        generations.add(piece["generation"])
        cursor = piece["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted((row["symbol"], row["date"].isoformat()) for row in bars)
    assert len(generations) == 1


def test_a_cursor_goes_on_with_what_it_is_of_and_with_nothing_else(admin, is_problem):
    cursor = ask(admin, limit=5, where="symbol:eq:AAA")["next"]
    for other in ({"where": "symbol:eq:BBB"}, {"order": "-close", "where": "symbol:eq:AAA"}, {}):
        answer = admin.get(ROWS, params={"limit": 5, "cursor": cursor, **other})
        assert "the cursor is of another request" in is_problem(answer, 422)
    for wrong in ("nonsense", "WzFd", "bnVsbA", "W1tbW1tbW1tbW1tbW1tb", "\u00e4", "W251bGwsLTEsIngiXQ"):  # fmt: skip
        is_problem(admin.get(ROWS, params={"cursor": wrong}), 422)
    both = {"where": "symbol:eq:AAA", "cursor": cursor}
    is_problem(admin.get(ROWS, params={**both, "offset": 1}), 422)


def test_rows_come_in_the_format_that_is_accepted(daemon, admin):
    wanted = {"where": "symbol:eq:C.C", "columns": "date,close,source", "limit": 3}
    rows = daemon.lab.rows(
        "select date, close, source from eod where symbol = 'C.C' order by date limit 3"
    )

    def get(accept):
        answer = admin.get(ROWS, params=wanted, headers={"accept": accept})
        assert answer.headers["content-type"].partition(";")[0] == accept.partition(";")[0]
        assert answer.headers["x-ttapi-total"] == "25"
        return answer.content

    table = pa.ipc.open_stream(get("application/vnd.apache.arrow.stream")).read_all()
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    table = pq.read_table(io.BytesIO(get("application/vnd.apache.parquet")))
    assert [tuple(row.values()) for row in table.to_pylist()] == rows
    lines = "".join(f"{day},{close},{source}\n" for day, close, source in rows)
    assert get("text/csv").decode() == f"date,close,source\n{lines}"
    assert b'"rows":[{"date":"' in get("application/json")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/html, */*;q=0.1", "application/json"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("", "application/json"),
        ("text/csv;q=nan, application/*", "application/json"),
    ],
)
def test_the_format_liked_best_is_chosen(admin, media_type, accept):
    answer = admin.get(ROWS, params={"limit": 1}, headers={"accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == media_type


def test_a_format_nobody_writes_is_refused(admin, is_problem):
    answer = admin.get(ROWS, headers={"accept": "text/html, text/csv;q=0"})
    assert "rows come as application/json" in is_problem(answer, 406)


def test_few_rows_are_written_as_the_engine_writes_many(daemon, admin, monkeypatch):
    relations = ("calendar", "eod", "returns_stddev", "volatility_latest", "health", "raw.metastock_bars")  # fmt: skip
    for name in relations:
        few = admin.get(f"{API}/relations/{name}/rows", params={"limit": 50})
        with monkeypatch.context() as patched:
            patched.setattr("ttapi.server.rows._FEW", -1)
            many = admin.get(f"{API}/relations/{name}/rows", params={"limit": 50})
        assert few.json() == many.json()
        assert few.json()["rows"] or name == "health"


def test_an_answer_says_how_old_it_is_and_that_it_has_not_changed(daemon, admin):
    first = admin.get(ROWS, params={"where": "symbol:eq:AAA"})
    assert first.headers["x-ttapi-generation"] == str(daemon.served.published.newest())
    assert float(first.headers["x-ttapi-data-age-s"]) == 0.0
    assert first.headers["vary"] == "accept"
    etag = first.headers["etag"]
    known = {"if-none-match": f'"other", {etag}'}
    again = admin.get(ROWS, params={"where": "symbol:eq:AAA"}, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag and again.headers["x-request-id"]
    assert admin.get(ROWS, params={"where": "symbol:eq:BBB"}, headers=known).status_code == 200
    csv = admin.get(
        ROWS, params={"where": "symbol:eq:AAA"}, headers={**known, "accept": "text/csv"}
    )
    assert csv.status_code == 200


def test_an_instant_with_an_offset_is_compared_as_utc(admin, bars):
    known = sorted({row["known_at"] for row in bars})[5]
    offset = known.replace(hour=known.hour - 4).isoformat() + "-04:00"
    for text in (known.isoformat(), known.isoformat() + "Z", offset):
        found = ask(admin, where=f"known_at:le:{text}", limit=1)
        assert found["total"] == sum(row["known_at"] <= known for row in bars)


def test_a_symbol_is_read_between_dates_whose_end_is_not_wanted(admin, bars):
    found = admin.get(
        f"{API}/eod",
        params={"symbol": "aaa", "from": "2024-06-10", "to": "2024-06-14", "columns": "date"},
    ).json()
    assert found["rows"] == [{"date": f"2024-06-{day}"} for day in (10, 11, 12, 13)]
    both = admin.get(f"{API}/eod", params={"symbol": "AAA", "where": "close:gt:1e9"}).json()
    assert both["total"] == 0


def test_the_expirations_of_a_stock_are_those_of_every_stock(daemon, admin):
    for symbol, root in (("AAA", "EQUITY"), ("spx", "SPX")):
        found = admin.get(
            f"{API}/expirations", params={"symbol": symbol, "as_of": "2024-06-13", "limit": 1000}
        ).json()
        right = daemon.lab.rows(
            f"select expiration_date, settlement, dte_calendar from expirations('2024-06-13', '{root}')"
        )
        got = [(r["expiration_date"], r["settlement"], r["dte_calendar"]) for r in found["rows"]]
        assert got == [(day.isoformat(), settlement, dte) for day, settlement, dte in sorted(right)]
        assert found["rows"][0]["settle_utc"].endswith("Z")
    units = {one["name"]: one["comment"] for one in found["columns"]}
    assert units["dte_calendar"] == "calendar days from as_of to the expiration"


def test_a_generation_that_is_still_to_come_or_gone_is_told(admin, is_problem, daemon):
    newest = daemon.served.published.newest()
    ahead = is_problem(admin.get(ROWS, params={"generation": newest + 1}), 409)
    assert ahead == f"generation {newest + 1} was never published (the newest is {newest})"
    is_problem(admin.get(f"{API}/relations/eod", params={"generation": newest + 1}), 409)
    assert ask(admin, generation=newest, limit=1)["generation"] == newest


@given(st.text(max_size=40), st.integers(0, 10**12), st.integers(1, 2**40))
def test_a_cursor_comes_back_as_it_was_given(said, offset, generation):
    from ttapi.server.rows import Cursor

    digest = digest_of(said)
    cursor = Cursor(generation, offset, digest)
    assert cursor_for(cursor.text, digest) == cursor
    assert cursor.text.isascii()


@pytest.mark.parametrize("sign", ["", "-"])
def test_missing_values_come_last_whichever_way_the_order_goes(daemon, admin, sign):
    where = "market:eq:XNYS;date:ge:2024-06-01;date:lt:2024-07-01"
    wanted = {"where": where, "order": f"{sign}close_utc", "columns": "date,close_utc"}
    found = admin.get(f"{API}/relations/calendar/rows", params=wanted).json()["rows"]
    days = daemon.lab.rows(
        "select date, close_utc from calendar where market = 'XNYS' and date >= '2024-06-01' and date < '2024-07-01'"
    )
    there = sorted((day for day, close in days if close is not None), reverse=bool(sign))
    missing = sorted(day for day, close in days if close is None)
    assert [row["date"] for row in found] == [day.isoformat() for day in (*there, *missing)]
    assert len(missing) == 11


def test_conditions_given_one_by_one_all_hold(admin, bars):
    asked = [("where", "symbol:eq:BBB"), ("where", "close:ge:12;close:lt:14")]
    answer = admin.get(ROWS, params=[*asked, ("limit", "130")])
    assert answer.json()["rows"] == [
        as_json(row) for row in bars if row["symbol"] == "BBB" and 12 <= row["close"] < 14
    ]
    days = admin.get(f"{API}/eod", params=[("symbol", "AAA"), *asked]).json()
    assert (days["total"], days["rows"]) == (0, [])
