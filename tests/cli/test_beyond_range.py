# SPDX-License-Identifier: Apache-2.0
"""A number or a date beyond what can be counted is one message that says what would work, never a traceback."""

from __future__ import annotations

import pytest

SQL = ("sql", "select 1 as x", "--csv")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*SQL, "--max-age", "99999999999d"), "'99999999999d' is no duration"),
        (("refresh", "calendar", "--wait", "1e400"), "nobody waits for inf s"),
        (("refresh", "calendar", "--wait", "nan"), "nobody waits for nan s"),
        (
            (*SQL, "--as-of", "0001-01-01T00:00:00"),
            "--as-of '0001-01-01T00:00:00' is no point in time",
        ),
        ((*SQL, "--as-of", "9999-12-31"), "--as-of 9999-12-31 is later than now"),
        (("refresh", "calendar", "--from", "99999-01-01"), "--from '99999-01-01' is no date"),
    ],
)
def test_a_flag_is_refused(lab, arguments, told):
    done = lab.ttapi(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ttapi: {told}")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("0001-01-01T00:00:00+14:00", "is not an ISO instant"),
        ("9999-12-31T23:59:59Z", "is not an instant of the years 1953 to 2049"),
        ("1952-06-01T00:00:00Z", "is not an instant of the years 1953 to 2049"),
    ],
)
def test_a_clock_beyond_the_calendars_is_refused(lab, now, told):
    for command in (["status"], ["refresh"], ["sql", "select 1"]):
        done = lab.ttapi(*command, TTAPI_NOW=now)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"TTAPI_NOW='{now}' {told}\n" in done.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[refresh]\nmax_stale = '99999999999d'\n", "max_stale = '99999999999d' is no duration"),
        ("[refresh]\nmax_seconds = 1e400\n", "max_seconds = inf is not a valid float"),
        ("[refresh]\nmax_seconds = nan\n", "max_seconds = nan is not a valid float"),
        (f"[refresh]\nmax_calls = {'9' * 5000}\n", "is not valid TOML"),
        (f"[store]\nsnapshots_kept = 0x{'f' * 5000}\n", "is not valid TOML"),
        ("[store]\nmemory_limit = '9999999TB'\n", "memory_limit = '9999999TB' cannot be"),
        ("[store]\nmemory_limit = '0GB'\n", "memory_limit = '0GB' cannot be"),
        (f"[sources.metastock]\npath = {'[' * 20000}\n", "is not valid TOML"),
    ],
)
def test_a_setting_is_refused_with_its_file(lab, settings, told):
    lab.home.settings_file.write_text(settings)
    done = lab.ttapi("status")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(lab.home.settings_file) in done.stderr.splitlines()[0]
    assert told in done.stderr.splitlines()[0]


@pytest.mark.parametrize("field", ["ttl", "max_stale", "max_stale_on_error", "revise"])
def test_a_resource_leaves_out_its_source_alone(lab, field):
    (lab.home.sources / "odd.py").write_text(
        "from ttapi.sources.contract import Column, Resource\n"
        "class Odd:\n"
        "    name, about, version = 'odd', 'For the test.', '1'\n"
        "    setting_names, sql_folder = (), None\n"
        "    resources = (Resource('things', 'odd_things', 'Things.',"
        f" (Column('symbol', 'VARCHAR', 'it'),), ('symbol',), {field}='99999999999d'),)\n"
        "    def missing_setting(self, resource, context): return None\n"
        "    def survey(self, resource, context): return []\n"
        "    def fetch(self, resource, requests, context): return iter(())\n"
    )
    assert lab.ttapi(*SQL).stdout == "x\n1\n"
    told = lab.ttapi("sources", "odd").stdout
    assert "odd.py breaks the plugin contract" in told
    assert f"{field} '99999999999d'" in told
