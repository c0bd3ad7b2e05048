# SPDX-License-Identifier: Apache-2.0
"""Figures for Prometheus: sockets, publications, the stream, copies for who may not see everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stream_socket import opened

from ttapi.server.figures import stream_figures

NOW = datetime(2024, 6, 14, 20, 0, tzinfo=UTC)


def figures_of(client):
    """Every figure, by name with labels."""
    lines = client.get("/metrics").text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_a_stream_tells_what_became_of_its_events_and_when_it_published():
    counts = {"stored": 7, "acknowledged": 9, "conflated": 2, "refused": 1, "gaps": 3, "publications": 4, "waits": 0}  # fmt: skip
    published_at = (NOW - timedelta(seconds=2)).isoformat()
    state = {"published_at": published_at, "counts": counts}
    found = {name: value for name, _, value in stream_figures(state, NOW)}
    assert found == {
        "ttapi_stream_up": 1.0,
        'ttapi_stream_events{state="stored"}': 7,
        'ttapi_stream_events{state="acknowledged"}': 9,
        'ttapi_stream_events{state="conflated"}': 2,
        'ttapi_stream_events{state="refused"}': 1,
        "ttapi_stream_gaps": 3,
        "ttapi_stream_publications": 4,
        "ttapi_stream_waits": 0,
        "ttapi_stream_publication_age_seconds": 2.0,
    }
    assert [one[0::2] for one in stream_figures(None, NOW)] == [("ttapi_stream_up", 0.0)]


def test_sockets_publications_and_copies_are_counted(make_bars_lab, run_daemon, tmp_path):
    lab = make_bars_lab(tmp_path)
    with run_daemon(lab) as daemon, daemon.client("viewer") as client:
        before = figures_of(client)
        assert (before["ttapi_open_sockets"], before["ttapi_stream_up"]) == (0.0, 0.0)
        assert before["ttapi_publication_age_seconds"] >= 0.0
        assert not [name for name in before if name.startswith("ttapi_shared_copy_lag")]
        with opened(daemon, "token-of-viewer"):
            assert figures_of(client)["ttapi_open_sockets"] == 1.0
        while figures_of(client)["ttapi_open_sockets"]:
            pass  # the daemon notices in its own time that the socket is gone
        client.post("/api/v1/sql", json={"sql": "select 1", "refresh": False})
        assert figures_of(client)['ttapi_shared_copy_lag{hides="private"}'] == 0.0
        lab.write_bars("NEW.csv", [(lab.now.date(), 10, 11, 9, 10)])
        lab.refresh()
        lag = figures_of(client)["ttapi_generation"] - before["ttapi_generation"]
        assert figures_of(client)['ttapi_shared_copy_lag{hides="private"}'] <= lag
