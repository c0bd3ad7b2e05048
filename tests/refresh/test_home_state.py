# SPDX-License-Identifier: Apache-2.0
"""`live/state.json`: written, read back, and read as an earlier ttapi left it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ttapi.errors import ModelError
from ttapi.home import Home
from ttapi.refresh.home_state import (
    NOTHING,
    HomeState,
    Unavailable,
    dataset_from_json,
    dataset_to_json,
    read_home_state,
    write_home_state,
)
from ttapi.store.catalog import DatasetState, Slice

FORMAT_7 = Path(__file__).parent / "data" / "state-7.json.gz"
"""What ttapi wrote at commit 1aefae0 for a home with one MetaStock file."""
AT = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


def old_home(tmp_path, **parts):
    home = Home(tmp_path)
    home.live.mkdir()
    document = json.loads(gzip.decompress(FORMAT_7.read_bytes()))
    home.state_file.write_text(json.dumps(document | parts))
    return home


def test_a_home_of_format_7_says_what_it_said(tmp_path):
    found = read_home_state(old_home(tmp_path))
    assert (len(found.datasets), found.generation, found.load_id) == (166, 2, 2)
    assert found.fetched_by == {
        "raw.calendar_days": 1, "raw.listing_horizons": 1, "raw.price_basis": 2, "raw.shipped_universes": 1,
    }  # fmt: skip
    assert found.slices == {"raw.metastock_bars": (Slice("AAPL", AT),)}
    bars = found.datasets["raw.metastock_bars"]
    assert (bars.kind, bars.ttl, bars.key, bars.is_local) == (
        "raw",
        "next close + 45m",
        "symbol",
        True,
    )
    assert found.states["raw.metastock_bars"].rows == 5849


def test_parts_that_format_7_called_otherwise_are_kept(tmp_path):
    home = old_home(
        tmp_path,
        touched={"raw.x": {"A.txt": [7, None]}},
        partly={"raw.x": "1 of 2 failed: B.txt"},
        absent={"raw.y": [["ZZZ", AT.isoformat(), "no such symbol"]]},
    )
    found = read_home_state(home)
    assert found.seen_units == {"raw.x": {"A.txt": (7, None)}}
    assert found.partial_failures == {"raw.x": "1 of 2 failed: B.txt"}
    assert found.unavailable == {"raw.y": {"ZZZ": Unavailable(AT, "no such symbol")}}


def test_what_was_read_of_format_7_is_written_in_the_format_of_today(tmp_path):
    home = old_home(tmp_path)
    found = read_home_state(home)
    write_home_state(home, found)
    assert json.loads(home.state_file.read_text())["format"] == 8
    assert read_home_state(home) == found


def test_every_part_comes_back_as_it_was(tmp_path):
    datasets = read_home_state(old_home(tmp_path)).datasets
    state = HomeState(
        fingerprint="f",
        generation=3,
        datasets=datasets,
        states={"a": DatasetState("v", "f", AT, None, 4, 0, {"b": "w"}, "broken", AT), "b": DatasetState()},
        seconds={"a": 0.125},
        slices={"a": (Slice("K", AT, (AT.date(), None)), Slice("L", AT))},
        calls={"a": 2},
        seen_units={"a": {"A.txt": (None, 5)}},
        load_id=9,
        fetched_by={"a": 9},
        traffic={"tastytrade": {"requests": 3}},
        partial_failures={"a": "1 of 2 failed"},
        broken={"v": ModelError("no such column", file="views/v.sql", line=3, hint="x")},
        unavailable={"a": {"M": Unavailable(AT, "unknown")}},
    )  # fmt: skip
    home = Home(tmp_path)
    write_home_state(home, state)
    found = read_home_state(home)
    errors = [(e.reason, e.file, e.line, e.hint) for e in found.broken.values()]
    assert errors == [("no such column", "views/v.sql", 3, "x")]
    assert replace(found, broken={}) == replace(state, broken={})


def test_a_dataset_comes_back_from_its_document(tmp_path):
    for dataset in read_home_state(old_home(tmp_path)).datasets.values():
        document = json.loads(json.dumps(dataset_to_json(dataset)))
        assert dataset_from_json(document) == dataset


def test_another_format_and_a_damaged_document_say_nothing(tmp_path):
    assert read_home_state(old_home(tmp_path, format=6)) is NOTHING
    home = Home(tmp_path)
    home.state_file.write_text(json.dumps({"format": 8}))
    assert read_home_state(home) is NOTHING
