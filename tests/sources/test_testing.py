# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: a good source keeps every rule, and each way to be bad breaks one by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from vendor_in_memory import (
    DAY,
    SCENARIOS,
    Astray,
    Counting,
    Deaf,
    Foreign,
    Forgetful,
    Generous,
    Good,
    Hasty,
    Impatient,
    Keyed,
    Lists,
    Raising,
    Silent,
    Timid,
    Undescribed,
    changed_batch,
    in_report,
    in_rows,
    settings,
    tomorrow,
)  # fmt: skip

from ttapi.sources.contract import Batch, UnitReport
from ttapi.sources.testing import check_source, source_checks, static_problems


def broken_rules(kind):
    """Names of the rules `kind` breaks."""
    names = []
    for check in source_checks(kind, settings=settings(), **SCENARIOS):
        try:
            check()
        except AssertionError:
            names.append(check.name)
    return names


def test_a_good_source_keeps_every_rule():
    check_source(Good, settings=settings(), **SCENARIOS)


BAD = {
    "lists a unit twice": (Lists, "listing"),
    "leaves a unit out": (Forgetful, "whole_answer"),
    "counts what it did not send": (in_report(rows_in=99), "whole_answer"),
    "sends text for a number": (
        in_rows("price", lambda rows, _: pa.array(["x"] * rows.num_rows)),
        "whole_answer",
    ),
    "sends no such column": (in_rows("price", lambda *_: None), "whole_answer"),
    "names a unit out of range": (
        in_rows("unit", lambda rows, _: pa.array([7] * rows.num_rows, pa.int32())),
        "whole_answer",
    ),
    "yields something else": (changed_batch(lambda batch, _: batch.units), "whole_answer"),
    "knows the future": (in_rows("known_at", tomorrow), "instants"),
    "reports other dates": (in_report(last_date=date(2030, 1, 1)), "instants"),
    "claims to hold no duplicates": (in_report(has_duplicates=False), "late"),
    "answers otherwise each time": (Counting, "determinism"),
    "is unchanged from the start": (
        changed_batch(
            lambda batch, _: Batch(tuple(UnitReport(r.unit, "x", is_unchanged=True) for r in batch.units))
        ),
        "unchanged_content",
    ),
    "passes over what is gone": (Silent, "gone"),
    "loses rows when the clock is ahead": (Impatient, "clock_skew"),
    "raises a library's error": (Foreign, "broken"),
    "takes an outage for emptiness": (Deaf, "down"),
    "gives half for the whole": (Hasty, "throttled"),
    "fails on nothing": (Timid, "empty"),
    "says nothing of another schema": (
        changed_batch(
            lambda batch, context: (
                Batch((UnitReport(batch.units[0].unit, "x"),)) if context.settings["state"] == "drift" else batch
            )
        ),
        "drift",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "rule"), BAD.values(), ids=BAD.keys())
def test_a_bad_source_breaks_the_rule_by_name(kind, rule):
    assert rule in broken_rules(kind)


def test_the_message_names_rule_resource_and_unit():
    with pytest.raises(AssertionError) as caught:
        check_source(in_report(rows_in=99), settings=settings())
    text = str(caught.value)
    assert "whole_answer: One report a request, counts that add up" in text
    assert "prices: unit 'b': 99 rows in are not 1 accepted and 0 refused" in text


def test_an_unknown_scenario_is_a_mistake_of_the_test():
    with pytest.raises(TypeError, match="'dwon' is no scenario; known: empty, late"):
        source_checks(Good, settings=settings(), dwon=settings())


def test_a_keyed_source_is_asked_by_key_and_interval():
    asked = {"keys": {"prices": ["AAA"]}, "span": (DAY, DAY + timedelta(days=1))}
    check_source(Keyed, settings=settings(), **asked)
    with pytest.raises(AssertionError, match="it gives a row of 2024-06-13"):
        check_source(Generous, settings=settings(), **asked)
    with pytest.raises(AssertionError, match="requires keys; give keys="):
        check_source(Keyed, settings=settings())


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Raising, "without settings raises KeyError"),
        (Undescribed, "column 'price' has no comment"),
        (Astray, "is no folder"),
    ],
)
def test_what_can_be_seen_without_asking(kind, told):
    (problem,) = static_problems(kind())
    assert told in problem


def test_a_source_that_imports_the_store_is_seen(lab):
    plugin = "import duckdb\nfrom ttapi import refresh\nfrom ttapi.sources.contract import Column, Resource\n"
    plugin += """
class Peeking:
    name = "peeking"
    about = "x"
    version = "1"
    resources = (Resource("r", "peeks", "x", (Column("a", "VARCHAR", "x"),), ("a",), ttl="1d"),)
    setting_names = ()
    sql_folder = None
    def missing_setting(self, resource, context): return None
    def survey(self, resource, context): return []
    def fetch(self, resource, requests, context): return iter(())
"""
    (lab.home.sources / "peeking.py").write_text(plugin)
    (lab.home.sources / "torn.py").write_text("def (")
    done = lab.ttapi("sources", "--validate")
    assert done.returncode == 1
    assert "peeking.py:1 imports duckdb" in done.stdout
    assert "peeking.py:2 imports ttapi.refresh" in done.stdout
    assert "torn: breaks the contract" in done.stdout
    assert "calendar: keeps the contract" in done.stdout
    assert "the declaration was checked" in done.stderr
    assert lab.ttapi("sources", "calendar", "--validate").returncode == 0
    assert lab.ttapi("sources", "nobody", "--validate").returncode == 2


def test_now_is_told_as_an_instant():
    check_source(Good, settings=settings(), now=datetime(2023, 1, 3, tzinfo=UTC))
