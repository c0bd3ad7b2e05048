# SPDX-License-Identifier: Apache-2.0
"""Every fault of the broker does what its row of the table says, and no more."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

ME = "/customers/me"
METRICS = "/market-metrics?symbols=AAPL,SPY"


def statuses(client, path, count):
    return [client.get(path).status_code for _ in range(count)]


def test_a_burst_of_429_comes_without_headers_that_help(serve, logged_in):
    client = logged_in(serve(faults=["429-burst:after=3,count=2"]))  # the login was the first
    assert statuses(client, ME, 6) == [200, 200, 429, 429, 200, 200]
    client_of_burst = logged_in(serve(faults=["429-burst:after=1,count=1"]))
    refused = client_of_burst.get(ME)
    assert not {"retry-after", "x-ratelimit-remaining"} & set(map(str.lower, refused.headers))


@pytest.mark.parametrize(
    ("spec", "status", "kind"),
    [
        ("html-401", 401, "text/html"),
        ("html-200", 200, "text/html"),
        ("bad-gateway:times=1", 502, "text/html"),
        ("forbidden:path=/customers", 403, "application/json"),
    ],
)
def test_refusals_have_their_status_and_kind(server, client, spec, status, kind):
    server.faults.set(spec)
    answer = client.get(ME)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, kind)


def test_a_fault_strikes_as_often_as_it_says(server, client):
    server.faults.set("bad-gateway:times=2")
    assert statuses(client, ME, 3) == [502, 502, 200]


def test_a_fault_keeps_to_its_path(server, client):
    server.faults.set("bad-gateway:path=/market-metrics,times=0")
    assert statuses(client, ME, 1) + statuses(client, METRICS, 1) == [200, 502]


def test_faults_can_be_cleared(server, client):
    server.faults.set("forbidden:path=/customers")
    assert client.get(ME).status_code == 403
    server.faults.clear()
    assert client.get(ME).status_code == 200


@pytest.mark.parametrize("spec", ["reset", "down"])
def test_a_broken_connection_has_no_answer(server, client, spec):
    server.faults.set(spec)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(ME)
    assert server.counters.failed == 1


def test_a_truncated_body_is_no_json(server, client):
    whole = client.get(METRICS).text
    server.faults.set("truncate")
    half = client.get(METRICS).text
    assert whole.startswith(half[:200])
    with pytest.raises(json.JSONDecodeError):
        json.loads(half)


def test_a_drifted_field_has_another_name(server, client):
    server.faults.set("drift:field=beta")
    item = client.get(METRICS).json()["data"]["items"][0]
    assert "beta" not in item
    assert "beta-v2" in item


def test_the_first_row_lacks_a_field_and_the_others_have_it(server, client):
    server.faults.set("missing-fields:field=beta")
    first, second = client.get(METRICS).json()["data"]["items"]
    assert "beta" not in first
    assert "beta" in second


def test_numbers_of_the_first_row_become_lists(server, client):
    server.faults.set("retype")
    first, second = client.get(METRICS).json()["data"]["items"]
    assert isinstance(first["beta"], list)
    assert isinstance(second["beta"], str)


def test_missing_symbols_have_neither_metrics_nor_a_chain(server, client, vendor_market):
    server.faults.set("missing-symbols:count=2")
    gone, kept = vendor_market.symbols[-1], vendor_market.symbols[-3]
    found = client.get(f"/market-metrics?symbols={gone},{kept}").json()["data"]["items"]
    assert [item["symbol"] for item in found] == [kept]
    assert client.get(f"/option-chains/{gone}/nested").status_code == 404


def test_a_bomb_is_small_on_the_way(server, client):
    server.faults.set("gzip-bomb:mb=4")
    request = client.build_request("GET", ME, headers={"accept-encoding": "gzip"})
    answer = client.send(request, stream=True)
    packed = b"".join(answer.iter_raw())
    answer.close()
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < 100_000
    assert len(gzip.decompress(packed)) > 4_000_000


def test_an_oversize_body_is_as_long_as_it_says(server, client):
    server.faults.set("oversize:mb=2")
    assert len(client.get(ME).content) > 2 * 1024 * 1024


def test_a_slow_answer_keeps_the_client_waiting(server, client):
    server.faults.set("slow:s=30")
    with pytest.raises(httpx.ReadTimeout):
        client.get(ME, timeout=0.2)


def test_no_fault_of_answers_touches_the_login(serve, logged_in):
    server = serve(faults=["truncate:times=0", "html-401:times=0", "bad-gateway:times=0"])
    assert logged_in(server).headers["Authorization"].startswith("Bearer sim-access-")
