# SPDX-License-Identifier: Apache-2.0
"""A declaration that breaks the contract is told what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from ttapi.sources.contract import Column, ColumnType, Resource
from ttapi.sources.validation import check_declaration

GOOD = Resource(
    name="things",
    table="things",
    about="Things.",
    columns=(Column("symbol", "VARCHAR", "it"), Column("date", "DATE", "when")),
    grain=("symbol", "date"),
    keys=("symbol",),
    time_column="date",
)


class Plugin:
    name = "plugin"
    about = "a stranger's source"
    version = "1"
    setting_names = ("path",)
    sql_folder = None

    def __init__(self, *resources, **changes):
        self.resources = resources
        vars(self).update(changes)

    def missing_setting(self, resource, context):
        return None

    def survey(self, resource, context):
        return []

    def fetch(self, resource, requests, context):
        return iter(())


def test_sound_declaration_has_no_problems():
    assert check_declaration(Plugin(GOOD)) == []


@pytest.mark.parametrize(
    "ttl", ["5m", "24h", "1.5 d", "5 sessions", "next close", "next close + 45m"]
)
def test_every_form_of_ttl_is_taken(ttl):
    assert check_declaration(Plugin(replace(GOOD, ttl=ttl))) == []


WRONG = {
    "ttl": (
        {"ttl": "soon"},
        "ttl 'soon' is no duration (1d, 5m) and no market time (next close + 45m)",
    ),
    "max stale": ({"max_stale": "a while"}, "max_stale 'a while' is no duration (1d, 5m)"),
    "max stale on error": (
        {"max_stale_on_error": ""},
        "max_stale_on_error '' is no duration (1d, 5m)",
    ),
    "revise": ({"revise": "2 sessions"}, "revise '2 sessions' is no duration (1d, 5m)"),
    "empty ttl": (
        {"ttl": ""},
        "ttl '' is no duration (1d, 5m) and no market time (next close + 45m)",
    ),
    "table name": ({"table": "Things"}, "'Things' is no plain lower-case identifier"),
    "injection": (
        {"table": "x; drop table y"},
        "'x; drop table y' is no plain lower-case identifier",
    ),
    "store's table": ({"table": "rejects"}, "table 'rejects' is the store's"),
    "grain": ({"grain": ("symbol", "day")}, "grain names 'day', which is no declared column"),
    "empty grain": ({"grain": ()}, "grain is empty: nothing says what one fact is"),
    "keys": ({"keys": ("ticker",)}, "keys names 'ticker', which is no declared column"),
    "time column": ({"time_column": "day"}, "time_column 'day' is no declared column"),
    "tracked": ({"tracked": "day"}, "tracked 'day' is no declared column"),
    "mode": ({"mode": "upsert"}, "mode 'upsert' is none of append, replace, merge"),
    "columns": ({"columns": ()}, "columns is no tuple of at least one Column"),
}


@pytest.mark.parametrize(("change", "problem"), WRONG.values(), ids=WRONG)
def test_wrong_resource_is_named(change, problem):
    problems = check_declaration(Plugin(replace(GOOD, **change)))
    assert problems == [f"resource things: {problem}"]


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (Column("line", "INTEGER", ""), "column 'line' is the store's own; name it otherwise"),
        (Column("load_id", "BIGINT", ""), "column 'load_id' is the store's own; name it otherwise"),
        (Column("Price", "DOUBLE", ""), "column 'Price' is no plain lower-case identifier"),
        (Column("date", "DATE", ""), "column 'date' is declared twice"),
        (
            Column("price", "FLOAT", ""),
            f"column 'price': type 'FLOAT' is none of {', '.join(get_args(ColumnType))}",
        ),
    ],
)
def test_wrong_column_is_named(column, problem):
    resource = replace(GOOD, columns=(*GOOD.columns, column))
    assert check_declaration(Plugin(resource)) == [f"resource things: {problem}"]


@pytest.mark.parametrize(
    ("plugin", "problem"),
    [
        (Plugin(GOOD, name="My Source"), "name 'My Source' is no plain lower-case identifier"),
        (Plugin(GOOD, version=1), "version is no text"),
        (Plugin(GOOD, survey=None), "survey is no method"),
        (Plugin(GOOD, setting_names="path"), "setting_names is no tuple of texts"),
        (Plugin(), "resources is no tuple of at least one Resource"),
        (Plugin(GOOD, replace(GOOD, name="others")), "table 'things' is declared twice"),
        (Plugin(GOOD, replace(GOOD, table="others")), "resource 'things' is declared twice"),
    ],
)
def test_wrong_source_is_named(plugin, problem):
    assert check_declaration(plugin) == [problem]


def test_missing_members_are_listed():
    assert check_declaration(object()) == [
        "lacks name, about, version, resources, setting_names, sql_folder, missing_setting, survey, fetch"
    ]
