# SPDX-License-Identifier: Apache-2.0
"""What was recorded of a stream, asked about: where a value comes from, and what brings a newer one."""

from __future__ import annotations

import json
from datetime import timedelta


def test_a_live_value_is_explained_by_its_own_event_and_too_old_a_one_by_the_stream(
    lab, pouring, recorded
):
    lab.environ["TTAPI_STREAM_INTERVAL"] = "0"
    with pouring(limit=1_000) as served:
        recorded(lab, served, kinds=("quotes",), limit=1_000)
    later = {"TTAPI_NOW": (lab.now + timedelta(hours=1)).isoformat()}

    ((arrival, bid, load_id),) = lab.rows(
        "select arrival, bid, load_id from raw.dxlink_quotes where symbol = 'SPY' order by arrival desc limit 1"
    )
    found = json.loads(lab.ttapi("why", "quotes", "SPY", "--json").stdout)
    (log,) = [one for one in found["inputs"] if one["relation"] == "raw.dxlink_quotes"]
    shown = [row["arrival"] for row in log["rows"]]
    assert (shown[0], log["rows"][0]["bid"]) == (arrival, bid)
    assert shown == sorted(shown, reverse=True)
    assert [call["load_id"] for call in found["calls"]] == [load_id]

    old = lab.ttapi("sql", "select bid from quotes where symbol = 'SPY'", "--max-age", "5s", **later)  # fmt: skip
    assert old.returncode == 4
    assert "ttapi stream SPY records newer ones" in old.stderr
    assert "ttapi refresh raw.dxlink_quotes" not in old.stderr
