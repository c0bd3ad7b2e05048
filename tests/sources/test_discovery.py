# SPDX-License-Identifier: Apache-2.0
"""Plugins are found wherever they lie, and a broken one never hides the others."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from ttapi.sources.discovery import installed_sources, source_fingerprint

PLUGIN = """
from pathlib import Path
from ttapi.sources.contract import Column, Resource

class {kind}:
    name = "{name}"
    about = "a stranger's source"
    version = "{version}"
    resources = (Resource("things", "{table}", "Things.", (Column("symbol", "VARCHAR", "it"),), ("symbol",)),)
    setting_names = ("path",)
    sql_folder = None
    def missing_setting(self, resource, context): return None
    def survey(self, resource, context): return []
    def fetch(self, resource, requests, context): return iter(())
"""


def plugin(name="one", table="one_things", kind="One", version="1"):
    return PLUGIN.format(name=name, table=table, kind=kind, version=version)


def entry(name, value):
    return EntryPoint(name, value, "ttapi.sources")


BUNDLED = [
    entry("metastock", "ttapi.sources.metastock:MetastockSource"),
    entry("files", "ttapi.sources.files:FilesSource"),
    entry("calendar", "ttapi.sources.calendar:CalendarSource"),
]


def test_bundled_sources_come_in_order_of_name():
    found = installed_sources(None, BUNDLED)
    assert [(one.name, one.error) for one in found] == [
        ("calendar", None),
        ("files", None),
        ("metastock", None),
    ]


def test_file_in_the_home_is_a_source(tmp_path):
    (tmp_path / "one.py").write_text(plugin())
    (tmp_path / "_helper.py").write_text("raise SystemError")
    (tmp_path / "README.md").write_text("no plugin")
    (found,) = installed_sources(tmp_path, [])
    assert (found.name, found.origin, found.error) == ("one", str(tmp_path / "one.py"), None)
    assert found.source is not None
    assert found.source.resources[0].table == "one_things"


def test_source_attribute_decides_between_two_classes(tmp_path):
    both = plugin() + plugin("two", "two_things", "Two")
    (tmp_path / "a.py").write_text(both + "\nSOURCE = Two\n")
    (tmp_path / "b.py").write_text(plugin("three", "three_things") + "\nSOURCE = One()\n")
    assert [one.name for one in installed_sources(tmp_path, [])] == ["two", "three"]


BROKEN = {
    "import error": (
        "import no_such_module",
        "ModuleNotFoundError: No module named 'no_such_module'",
    ),
    "syntax error": ("def (", "SyntaxError: "),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "empty": ("", "expected one class with `resources`, found none; set SOURCE"),
    "two classes": (plugin() + plugin(kind="Two"), "found One, Two; set SOURCE = <the class>"),
    "constructor": (plugin() + "    def __init__(self, path): pass\n", "TypeError: "),
    "missing method": (plugin().replace("def survey", "def overview"), "lacks survey"),
    "missing attribute": (plugin().replace("about =", "aboot ="), "lacks about"),
    "no source at all": ("SOURCE = 5", "lacks name, about, version"),
    "bad declaration": (
        plugin(name="Not Good"),
        "name 'Not Good' is no plain lower-case identifier",
    ),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_file_is_listed_with_place_and_cause(tmp_path, content, words):
    (tmp_path / "broken.py").write_text(content)
    (tmp_path / "whole.py").write_text(plugin("whole", "whole_things"))
    broken, whole = installed_sources(tmp_path, [])
    assert (broken.name, broken.source) == ("broken", None)
    assert str(tmp_path / "broken.py") in (broken.error or "")
    assert words in (broken.error or "")
    assert (whole.name, whole.error) == ("whole", None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_package:Source", "ModuleNotFoundError"),
        ("ttapi.sources.metastock:NoSource", "AttributeError"),
        ("ttapi.errors:UsageError", "TypeError"),
    ],
)
def test_broken_entry_point_is_listed(value, words):
    broken, whole = installed_sources(None, [entry("a", value), BUNDLED[0]])
    assert broken.name == "a"
    assert words in (broken.error or "")
    assert whole.error is None


def test_two_sources_of_one_name_leave_the_first(tmp_path):
    (tmp_path / "mine.py").write_text(plugin("metastock", "my_table"))
    first, second = installed_sources(tmp_path, [BUNDLED[0]])
    assert first.error is None
    assert second.error == (
        f"{tmp_path / 'mine.py'} is called 'metastock', as is "
        "ttapi.sources.metastock:MetastockSource; rename the source or remove one"
    )


def test_two_sources_of_one_table_leave_the_first(tmp_path):
    (tmp_path / "mine.py").write_text(plugin("mine", "metastock_bars"))
    _, second = installed_sources(tmp_path, [BUNDLED[0]])
    assert "fills raw.metastock_bars, as does ttapi.sources.metastock" in (second.error or "")


def test_absent_folder_holds_no_plugins(tmp_path):
    assert installed_sources(tmp_path / "none", []) == []


def fingerprint_of(tmp_path, content):
    (tmp_path / "one.py").write_text(content)
    (found,) = installed_sources(tmp_path, [])
    assert found.source is not None
    return source_fingerprint(found.source)


def test_fingerprint_follows_version_and_code(tmp_path):
    first = fingerprint_of(tmp_path, plugin())
    assert fingerprint_of(tmp_path, plugin()) == first
    assert fingerprint_of(tmp_path, plugin(version="2")) != first
    assert fingerprint_of(tmp_path, plugin() + "\n# one line more\n") != first


def test_fingerprint_of_a_package_covers_every_module(tmp_path, monkeypatch):
    package = tmp_path / "stranger"
    package.mkdir()
    (package / "__init__.py").write_text("from stranger.plugin import One\n")
    (package / "plugin.py").write_text(plugin())
    (package / "parsing.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = installed_sources(None, [entry("one", "stranger:One")])
    assert found.source is not None
    first = source_fingerprint(found.source)
    (package / "parsing.py").write_text("CHANGED = True\n")
    assert source_fingerprint(found.source) != first


def test_bundled_sources_have_fingerprints_of_their_own():
    prints = {
        source_fingerprint(one.source) for one in installed_sources(None, BUNDLED) if one.source
    }
    assert len(prints) == 3
