# SPDX-License-Identifier: Apache-2.0
"""What a feed sent is what the file holds: every print once, quotes as the setting says, whatever broke."""

from __future__ import annotations

import errno
import os
import signal
import threading
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.api import RecordRequest, operations, record
from ttapi.clock import FixedClock
from ttapi.errors import UsageError
from ttapi.live import recorder
from ttapi.live.journal import Journal
from ttapi.live.recorded_file import RecordedFile
from ttapi.live.recorder import latest_rows
from ttapi.sources.dxlink.live import BY_RESOURCE, LiveColumns
from ttapi.store.files import recorder_text
from ttapi.store.log import LogRows
from ttapi.store.store import open_store

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


def settings_of(served):
    return {"TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token}  # fmt: skip


PRINTS = "select count(*), round(sum(price) * 100)::bigint from ticks"


def truth_of(served, kind="TimeAndSale"):
    return [(served.truth.events[kind], served.truth.cents[kind])]


def test_every_print_that_was_sent_is_stored_once(lab, pouring, recorded):
    with pouring(limit=4_000) as served:
        outcome = recorded(lab, served, limit=4_000)
        # Those of the first values come before the firehose's: one a symbol.
        first = lab.rows("select count(*), round(sum(price) * 100)::bigint from ticks where sequence in (select min(sequence) from ticks group by symbol)")  # fmt: skip
        held = lab.rows(PRINTS)
    assert outcome.counts["gaps"] == outcome.counts["refused"] == 0
    sent = truth_of(served)[0]
    assert sent[0] >= 1_900
    # The last frame may still be on its way when the limit is reached.
    assert held[0][0] - first[0][0] <= sent[0]
    assert outcome.counts["stored"] == sum(
        n
        for (n,) in lab.rows(
            "select count(*) from tick_quotes union all select count(*) from ticks"
        )
    )


def test_sums_agree_where_everything_is_kept_and_all_was_sent(lab, pouring, recorded):
    lab.environ["TTAPI_STREAM_INTERVAL"] = "0"
    with pouring(limit=3_000, frame_events=50, channels=1) as served:
        recorded(lab, served, kinds=("time_and_sales",), limit=3_003)
        sent = truth_of(served)
    rows = lab.rows("select count(*), round(sum(price) * 100)::bigint, count(distinct sequence) from ticks")  # fmt: skip
    first = lab.rows(
        "select round(sum(price) * 100)::bigint from (from ticks order by sequence limit 3)"
    )
    assert rows == [(3_003, sent[0][1] + first[0][0], 3_003)]
    assert sent[0][0] == 3_000


def test_of_quotes_one_a_symbol_and_interval_is_kept(lab, pouring, recorded):
    with pouring(limit=3_000, channels=1) as served:
        outcome = recorded(lab, served, kinds=("quotes",), limit=3_000)
    stored = lab.rows("select count(*) from tick_quotes")[0][0]
    assert outcome.counts["stored"] == stored
    assert outcome.counts["conflated"] == outcome.sources[0]["events"] - stored
    assert stored < 300
    newest = lab.rows("select symbol, sequence from quotes order by symbol")
    assert newest == lab.rows("select symbol, max(sequence) from tick_quotes group by symbol order by symbol")  # fmt: skip
    assert [symbol for symbol, _ in newest] == ["AAPL", "BRK.B", "SPY"]


def test_the_ledger_says_what_the_log_holds(lab, pouring, recorded):
    with pouring(limit=2_000) as served:
        outcome = recorded(lab, served, limit=2_000)
    for table in ("dxlink_quotes", "dxlink_time_and_sales"):
        ((rows, unit),) = lab.rows(f"select count(*), any_value(unit_id) from raw.{table}")
        assert lab.rows(f"select unit_id, key, rows_in, rows_accepted, load_id from catalog.units where dataset = 'raw.{table}'") == [(unit, "2024-06-14", rows, rows, outcome.load_id)]  # fmt: skip
        assert lab.rows(f"select rows from catalog.state where dataset = 'raw.{table}'") == [(rows,)]  # fmt: skip
        assert lab.rows(f"select rows_accepted from catalog.loads where dataset = 'raw.{table}'") == [(rows,)]  # fmt: skip
        assert lab.rows(f"select count(*) from raw.{table} where known_at <> received_at") == [(0,)]
    assert lab.rows("select verdict from freshness where dataset = 'quotes'") == [("fresh",)]
    assert lab.published[-1][1] == outcome.generation
    assert [one.name for one in lab.home.journal.iterdir()] == ["recorder.lock"]
    assert operations.status(lab.environment()).is_as_published


def test_a_second_run_goes_on_where_the_first_ended(lab, pouring, recorded):
    with pouring(limit=1_000) as served:
        first = recorded(lab, served, limit=1_000)
    with pouring(limit=1_000) as served:
        second = recorded(lab, served, limit=1_000)
    assert second.generation > first.generation
    ((total, distinct),) = lab.rows("select count(*), count(distinct sequence) from ticks")
    assert total == distinct
    ((units, accepted),) = lab.rows("select count(*), sum(rows_accepted) from catalog.units where dataset = 'raw.dxlink_time_and_sales'")  # fmt: skip
    assert (units, accepted) == (1, total)


@pytest.mark.parametrize("fault", ["drop-feed:after=4", "502-upgrade", "refuse-token"])
def test_a_feed_that_breaks_is_connected_again(lab, pouring, recorded, fault):
    with pouring(fault, limit=2_000) as served:
        outcome = recorded(lab, served, limit=2_000)
    (feed,) = outcome.sources
    is_lost = fault.startswith("drop")
    assert (feed["losses"], outcome.counts["gaps"]) == ((1, 1) if is_lost else (0, 0))
    gaps = lab.rows("select dataset, detail from catalog.notes where code = 'stream gap' order by all")  # fmt: skip
    assert [dataset for dataset, _ in gaps] == (["raw.dxlink_quotes", "raw.dxlink_time_and_sales"] if is_lost else [])  # fmt: skip
    assert all("nothing arrived from 2024-06-14 22:00:00 to 22:00:00 UTC" in text for _, text in gaps)  # fmt: skip
    ((total, distinct),) = lab.rows("select count(*), count(distinct sequence) from ticks")
    assert total == distinct > 500


def test_what_was_never_recorded_is_no_empty_answer(lab, pouring):
    with pytest.raises(UsageError, match="is not set"):
        record(lab.environment(), RecordRequest(("SPY",)), environ=lab.variables)
    with pouring(limit=1) as served:
        done = lab.ttapi("sql", "select * from quotes", TTAPI_DXLINK_URL=served.dxlink_url, TTAPI_DXLINK_TOKEN="x")  # fmt: skip
    assert done.returncode == 1
    assert "raw.dxlink_quotes was never recorded" in done.stderr
    assert "ttapi stream" in done.stderr


def test_where_memory_is_short_quotes_take_each_others_place_and_prints_wait(lab, pouring, recorded, monkeypatch):  # fmt: skip
    monkeypatch.setattr(recorder, "_MOST_PENDING", 300)
    lab.environ["TTAPI_STREAM_INTERVAL"] = "0"
    with pouring(limit=4_000) as served:
        outcome = recorded(lab, served, limit=4_000)
    counts = outcome.counts
    assert counts["conflated"] > 0
    assert counts["waits"] > 0
    assert counts["stored"] + counts["conflated"] == outcome.sources[0]["events"]
    ((quotes,), (kept,)) = lab.rows("select count(*) from tick_quotes union all select count(*) from ticks")  # fmt: skip
    assert quotes + kept == counts["stored"]
    # Half of what was sent are prints: none of them gave way.
    assert kept >= 1_900


def test_a_disk_that_is_full_for_a_while_loses_nothing(lab, pouring, recorded, monkeypatch):
    """The journal's folder takes no file for two tries, then it does again."""
    refused = []
    begin = Journal._begin_segment

    def full_twice(journal, position):
        if len(refused) < 2:
            refused.append(position)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        begin(journal, position)

    monkeypatch.setattr(Journal, "_begin_segment", full_twice)
    with pouring(limit=1_000) as served:
        outcome = recorded(lab, served, limit=1_000)
    assert len(refused) == 2
    assert outcome.counts["waits"] >= 2
    assert outcome.counts["stored"] + outcome.counts["conflated"] == outcome.sources[0]["events"]


def test_no_more_is_stored_than_was_asked_for(lab, pouring, recorded):
    with pouring() as served:
        outcome = recorded(lab, served, limit=1)
    assert outcome.counts["stored"] == outcome.sources[0]["events"] == 1
    assert lab.rows("select (select count(*) from tick_quotes) + (select count(*) from ticks)") == [(1,)]  # fmt: skip


def test_of_which_symbols_nothing_comes_is_told_once_and_stands_in_the_outcome(lab, pouring):
    """The vendor is silent about a name that it does not know; status shows it beside the recorder."""
    told, shown = [], []

    def tell(symbols):
        told.append(symbols)
        ends[0]()

    def published(counts, generation):
        shown.append(recorder_text(lab.home))

    ends = []
    with pouring() as served:
        lab.environ |= settings_of(served)
        request = RecordRequest(("SPY", "NOSUCH"), ("quotes",), for_s=120.0, silent_s=0.1)
        outcome = record(lab.environment(), request, environ=lab.variables, on_silent=tell, on_begun=ends.append, on_published=published)  # fmt: skip
    assert told == [("NOSUCH",)]
    assert tuple(outcome.silent) == ("NOSUCH",)
    assert shown[-1].endswith("; nothing has come of NOSUCH")


def test_another_command_has_the_file_while_the_stream_goes_on(lab, pouring, recorded):
    """The recorder lets go of the file for whoever waits, and nothing that arrives meanwhile is lost."""
    done = []

    def ask():
        done.append(lab.process("refresh", "constant_rates", "--wait", "100"))
        os.kill(os.getpid(), signal.SIGTERM)

    with pouring(per_s=5_000.0) as served:
        other = threading.Thread(target=ask)
        outcome = recorded(lab, served, on_first=other.start)
        other.join()
    assert done[0].returncode == 0, done[0].stderr
    assert lab.rows("select load_id from catalog.state where dataset = 'raw.constant_rates'")[0][0] < outcome.load_id  # fmt: skip
    ((total, distinct),) = lab.rows("select count(*), count(distinct sequence) from ticks")
    assert total == distinct > 0
    stored = lab.rows("select count(*) from tick_quotes union all select count(*) from ticks")
    assert outcome.counts["stored"] == outcome.counts["acknowledged"] == sum(n for (n,) in stored)
    for table in ("dxlink_quotes", "dxlink_time_and_sales"):
        assert lab.rows(f"select sum(rows_accepted) from catalog.units where dataset = 'raw.{table}'") == lab.rows(f"select count(*) from raw.{table}")  # fmt: skip
    fresh = lab.rows("select dataset from freshness where verdict = 'fresh' and dataset in ('ticks', 'rates') order by 1")  # fmt: skip
    assert fresh == [("rates",), ("ticks",)]


def prints(*prices):
    """A journal part of the log of prints."""
    live = BY_RESOURCE["time_and_sales"]
    names = ("eventSymbol", "price")
    columns = LiveColumns({"SPY": "SPY"})
    columns.take(["TimeAndSale", [v for p in prices for v in ("SPY", p)]], {"TimeAndSale": names}, NOW)  # fmt: skip
    ((_, rows, _),) = columns.cut()
    return LogRows(f"raw.{live.resource.table}", pa.Table.from_batches([rows]), refused=2)


def open_recording(lab):
    environment = lab.environment()
    store = open_store(lab.home, command="test", now=lab.now)
    return store, RecordedFile(store, environment, FixedClock(lab.now))


def test_what_the_journal_has_and_the_file_has_not_is_stored_once(lab):
    journal = Journal(lab.home.journal, 0)
    journal.append([prints(1.0, 2.0)])
    journal.append([prints(3.0)])
    journal.close()
    for replayed in (3, 0):
        store, recording = open_recording(lab)
        with store:
            again = recording.open_journal()
            assert (recording.replayed, again.position, recording.position) == (replayed, 2, 2)
    assert lab.rows("select price from ticks order by sequence") == [(1.0,), (2.0,), (3.0,)]
    assert lab.rows("select rows_accepted, rows_refused, rows_in from catalog.units where dataset = 'raw.dxlink_time_and_sales'") == [(3, 4, 7)]  # fmt: skip


def test_records_that_a_bad_disk_lost_are_told(lab):
    journal = Journal(lab.home.journal, 0)
    for price in (1.0, 2.0, 3.0):
        journal.append([prints(price)])
    journal.close()
    (file,) = lab.home.journal.iterdir()
    data = bytearray(file.read_bytes())
    data[data.find(b"TTJ1", 1) + 60] ^= 0xFF
    file.write_bytes(bytes(data))
    store, recording = open_recording(lab)
    with store:
        recording.open_journal()
    assert lab.rows("select price from ticks order by sequence") == [(1.0,), (3.0,)]
    told = lab.rows("select distinct detail from catalog.notes where code = 'stream gap'")
    assert told == [(f"records of {file.name} behind 1 cannot be read: they are lost",)]


def test_what_belongs_to_no_log_any_more_is_told_and_keeps_nobody_from_starting(lab):
    journal = Journal(lab.home.journal, 0)
    gone = prints(9.0)
    journal.append([prints(1.0), LogRows("raw.gone", gone.rows)])
    journal.close()
    store, recording = open_recording(lab)
    with store:
        recording.open_journal()
        assert (recording.replayed, recording.position) == (1, 1)
    told = lab.rows("select dataset, detail from catalog.notes where code = 'stream gap'")
    assert told == [("raw.gone", "1 events of the journal belong to no log any more")]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=30))
def test_the_last_of_each_key_is_kept_in_the_order_of_arrival(drawn):
    table = pa.table(
        {
            "symbol": pa.array([s for s, _ in drawn], pa.string()),
            "time": pa.array([t for _, t in drawn], pa.int64()),
            "n": pa.array(range(len(drawn)), pa.int64()),
        }
    )
    last = {key: n for n, key in enumerate(drawn)}
    assert latest_rows(table, ("symbol", "time"))["n"].to_pylist() == sorted(last.values())


def test_greeks_are_in_the_units_of_the_house_with_the_vendor_s_beside(lab, small_market):
    """What an option's Greeks are by the simulated surface, is what `greeks` shows: no factor is lost or added."""
    symbol, streamer = "SPY   240719C00500000", ".SPY240719C500"
    known = small_market.greeks(streamer)
    assert known is not None
    names = ("volatility", "theta", "vega", "rho", "delta")
    columns = LiveColumns({streamer: symbol})
    values = [streamer, *(getattr(known, name) for name in names)]
    columns.take(["Greeks", values], {"Greeks": ("eventSymbol", *names)}, NOW)
    ((_, rows, _),) = columns.cut()
    journal = Journal(lab.home.journal, 0)
    journal.append([LogRows("raw.dxlink_greeks", pa.Table.from_batches([rows]))])
    journal.close()
    store, recording = open_recording(lab)
    with store:
        recording.open_journal()
    (found,) = lab.rows(
        "select symbol, implied_volatility, theta, vega, rho, delta, vendor_implied_volatility, vendor_theta, vendor_vega, vendor_rho from greeks"
    )
    sent = [getattr(known, name) for name in names]
    assert found == (symbol, *sent, *sent[:4])
    # A volatility point, a day: by the Greeks of the house at the same surface, within what a spot rounded does.
    ((vega, theta),) = lab.rows(
        f"select g.vega, g.theta from (select bsm_greeks({small_market.spot('SPY')}, 500, 35 / 365, 0.05, 0.013, {known.volatility}, 'C') as g)"
    )  # fmt: skip
    assert found[3] == pytest.approx(vega, rel=0.2)
    assert found[2] == pytest.approx(theta, rel=0.5)
