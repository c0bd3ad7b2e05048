# SPDX-License-Identifier: Apache-2.0
"""What cannot be written or built: held rows are answered with their age, and none are never made up."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from ttapi.api import Database, Freshness
from ttapi.errors import QueryError, ReadOnlyHomeError, StaleError
from ttapi.refresh.availability import unconfigured

BAR = "AAA,D,20240612,000000,10,11,9,10,1000,0"
FIRST = "-- kind: table\n-- grain: symbol\n-- check: unique(grain)\nselect 'X' as symbol, n from range({}) as r(n)\n"


def database(lab, later=timedelta()):
    return Database(lab.home, environ={**lab.environ, "TTAPI_NOW": (lab.now + later).isoformat()})


@pytest.fixture
def unwritable(lab):
    """A home with a bar, whose lock nobody can open: a link stands in its place."""
    lab.write_bars("AAA.csv", [BAR])
    lab.refresh()
    lab.home.lock_file.unlink()
    lab.home.lock_file.symlink_to(lab.data / "nowhere")
    return lab


def test_held_rows_are_answered_with_their_age_and_why(unwritable):
    with database(unwritable, timedelta(days=5)) as db:
        answer = db.sql("select close from eod")
    assert answer.arrow()["close"].to_pylist() == [10.0]
    assert [age.text for age in answer.prepared.ages] == ["5 d old"]
    (warning,) = answer.prepared.warnings
    assert "market.lock cannot be written" in warning
    assert warning.endswith("answered from the published snapshot")


def test_what_is_too_old_is_refused_with_the_flag_that_answers(unwritable):
    with database(unwritable, timedelta(days=30)) as db:
        with pytest.raises(ReadOnlyHomeError) as refused:
            db.sql("select close from eod")
        assert refused.value.exit_code == 2
        assert "--no-refresh answers from what is there" in refused.value.hint
        assert len(db.sql("select close from eod", freshness=Freshness(refresh=False))) == 1
    with database(unwritable, timedelta(days=5)) as db, pytest.raises(StaleError, match="5 d old"):
        db.sql("select close from eod", freshness=Freshness(max_age="1d"))


def test_what_is_as_old_as_allowed_answers_and_older_is_refused(lab):
    lab.write_bars("AAA.csv", [BAR])
    lab.refresh("eod")
    wanted, second = Freshness(refresh=False, max_age="1d"), timedelta(seconds=1)
    with database(lab, timedelta(days=1)) as db:
        assert len(db.sql("select close from eod", freshness=wanted)) == 1
    with (
        database(lab, timedelta(days=1) + second) as db,
        pytest.raises(StaleError, match="h old"),
    ):
        db.sql("select close from eod", freshness=wanted)


def test_what_cannot_be_refreshed_answers_until_the_instant_it_is_too_old(unwritable):
    unwritable.environ["TTAPI_REFRESH_MAX_STALE"] = "5d"
    with database(unwritable, timedelta(days=5, seconds=-1)) as db:
        assert len(db.sql("select close from eod")) == 1
    with database(unwritable, timedelta(days=5)) as db, pytest.raises(ReadOnlyHomeError):
        db.sql("select close from eod")


@pytest.mark.parametrize("freshness", [Freshness(), Freshness(max_age="1d")])
def test_a_table_that_could_not_be_built_is_no_empty_one(lab, freshness):
    lab.write_model("derived/first.sql", FIRST.format(2))
    with database(lab) as db:
        for wanted in (freshness, Freshness(refresh=False)):
            with pytest.raises(
                QueryError, match=r"derived.first was never built: .*unique\(grain\)"
            ):
                db.sql("select * from derived.first", freshness=wanted)


def test_a_table_that_is_built_and_empty_answers(lab):
    lab.write_model("derived/first.sql", FIRST.format(0))
    with database(lab) as db:
        assert len(db.sql("select * from derived.first")) == 0


def test_a_dataset_that_fills_another_up_is_not_missed_where_it_is_not_set():
    def dataset(**changes):
        given = {"kind": "raw", "completes": None, "lost": None, "missing_setting": None}
        return SimpleNamespace(**{"upstreams": (), "source": "vendor", **given, **changes})

    datasets = {
        "eod": dataset(kind="view", upstreams=("raw.bars", "raw.gone", "raw.held", "raw.more")),
        "raw.bars": dataset(missing_setting="path"),
        "raw.gone": dataset(missing_setting="path", lost="nobody installs it"),
        "raw.held": dataset(missing_setting="token"),
        "raw.more": dataset(missing_setting="token", completes="raw.bars"),
    }
    offer = SimpleNamespace(resource=SimpleNamespace(one_of=None))
    environment = SimpleNamespace(
        datasets=datasets,
        resources=dict.fromkeys(datasets, offer),
        home_state=SimpleNamespace(states={"raw.held": SimpleNamespace(rows=1)}),
    )
    assert unconfigured(environment, ["eod"]) == ("raw.bars ([sources.vendor] path)",)
