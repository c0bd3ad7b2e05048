# SPDX-License-Identifier: Apache-2.0
"""Settings of file and environment: which wins, what each form allows, what is told of a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ttapi.clock import clock_from
from ttapi.config import Settings, load_settings
from ttapi.errors import UsageError
from ttapi.home import Home, find_home
from ttapi.secret import scrubbed


@pytest.fixture
def settings(tmp_path):
    def load(text="", **environ):
        home = Home(tmp_path)
        home.settings_file.write_text(text)
        return load_settings(home, environ)

    return load


def test_without_a_file_everything_is_as_documented(tmp_path):
    assert load_settings(Home(tmp_path), {}) == Settings()


def test_every_setting_is_read_with_its_type(settings):
    assert settings(
        """
        [display]
        timezone = "UTC"
        format = "json"
        [export]
        datasets = ["eod", "returns"]
        formats = "csv, parquet"
        [universe]
        default = "dow_30"
        [refresh]
        max_stale = "1 session"
        max_calls = 7
        max_seconds = 1.5
        [store]
        memory_limit = "512 MiB"
        snapshots_kept = 0
        [stream]
        interval = 0.5
        keep_days = 30
        keep_gb = 2.5
        [shell]
        editing_mode = "vi"
        [serve]
        keep_fresh = ["eod"]
        max_calls = 3
        closing_chains = ["SPY", "SPX"]
        max_rows = 5
        window_rows = 6
        max_bytes = 7
        max_seconds = 0.5
        requests_per_second = 9
        max_body = 10
        max_depth = 14
        logins = 13
        sockets = 11
        topics = 12
        messages = 15
        share_personal = true
        """
    ) == Settings(
        "UTC", "json", ("eod", "returns"), ("csv", "parquet"), "dow_30", "1 session", 7, 1.5, "512 MiB", 0, 0.5, 30, 2.5, "vi",
        ("eod",), 3, ("SPY", "SPX"), 5, 6, 7, 0.5, 9.0, 10, 14, 13, 11, 12, 15, True,
    )  # fmt: skip


def test_the_environment_wins_over_the_file(settings):
    found = settings(
        "[refresh]\nmax_calls = 7\n[sources.files.rates]\npath = '/a'\n[sources.rest]\nlive = true\nmany = [1, 2]\n",
        TTAPI_REFRESH_MAX_CALLS="8",
        TTAPI_FILES_RATES_PATH="/b",
    )
    assert found.max_calls == 8
    assert found.sources["files"] == {"rates_path": "/b"}
    assert found.sources["rest"] == {"live": "true", "many": "1,2"}
    assert found.named_sources == ("files", "rest")


def test_a_variable_is_a_setting_of_every_source_it_can_be_of(settings):
    found = settings(
        TTAPI_MY_SOURCE_PATH="/x", TTAPI_HOME="/h", TTAPI_NOW="n", TTAPI_SHORT="s", OTHER="o"
    )
    assert found.sources == {"my": {"source_path": "/x"}, "my_source": {"path": "/x"}}
    assert found.named_sources == ()


def test_a_secret_among_the_settings_is_shown_nowhere(settings):
    settings(
        "[sources.rest]\nclient_secret = 'canary-in-settings'\nsecretary = 'not-a-secret-one'\n"
    )
    assert scrubbed("canary-in-settings not-a-secret-one") == "*** not-a-secret-one"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[refresh]\nmax_calls = -1\n", "max_calls = -1 cannot be"),
        ("[refresh]\nmax_calls = 1.5\n", "max_calls = 1.5 cannot be"),
        ("[refresh]\nmax_seconds = 'soon'\n", "max_seconds = 'soon' is not a valid float"),
        ("[refresh]\nmax_stale = 'ages'\n", "max_stale = 'ages' cannot be"),
        ("[store]\nmemory_limit = '4 apples'\n", "memory_limit = '4 apples' cannot be"),
        ("[store]\nsnapshots_kept = 'all'\n", "snapshots_kept = 'all' cannot be"),
        ("[display]\nformat = 'parquet'\n", r"\[display\] format = 'parquet' cannot be"),
        ("[display]\ntimezone = 'Mars/Olympus'\n", "timezone = 'Mars/Olympus' is no time zone"),
        ("[display]\ncolour = 'red'\n", "unknown setting \\[display\\] colour"),
        ("[export]\ndatasets = 5\n", r"\[export\] datasets = 5 is not a valid tuple"),
        ("refresh = 5\n", "'refresh' must be a section"),
        ("[sources]\nfiles = 5\n", "\\[sources\\] files must be a section"),
        ("[refresh\n", "is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name_and_value(settings, text, told):
    with pytest.raises(UsageError, match=told):
        settings(text)


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("TTAPI_STREAM_INTERVAL", "-1", "TTAPI_STREAM_INTERVAL = '-1' cannot be"),
        ("TTAPI_REFRESH_MAX_SECONDS", "soon", "TTAPI_REFRESH_MAX_SECONDS = 'soon' is not a valid float"),
        ("TTAPI_DISPLAY_TIMEZONE", "Mars", "TTAPI_DISPLAY_TIMEZONE = 'Mars' is no time zone"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_told_by_its_own_name(settings, variable, text, told):
    with pytest.raises(UsageError) as refused:
        settings("[stream]\ninterval = 2\n", **{variable: text})
    assert refused.value.message == told


@pytest.mark.parametrize(
    "text", ["5 sessions", "1 session", "next close", "next close + 45m", "7d", "1.5h"]
)
def test_every_form_of_an_age_is_taken(settings, text):
    assert settings(f"[refresh]\nmax_stale = '{text}'\n").max_stale == text


def test_the_home_is_the_flag_s_else_the_variable_s(tmp_path):
    environ = {"TTAPI_HOME": "/var/b"}
    assert find_home(Path("/var/a"), environ).root == Path("/var/a")
    assert find_home(None, environ).root == Path("/var/b")
    assert find_home(None, {"TTAPI_HOME": ""}).root == find_home(None, {}).root
    assert find_home(None, {}).root.is_absolute()


def test_now_is_what_the_variable_says_in_utc():
    noon = datetime(2024, 6, 14, 12, tzinfo=UTC)
    for text in ("2024-06-14T12:00", "2024-06-14T12:00Z", "2024-06-14T08:00-04:00"):
        assert clock_from({"TTAPI_NOW": text}).now() == noon
        assert clock_from({"TTAPI_NOW": text}).now().tzinfo == UTC
    with pytest.raises(UsageError, match="TTAPI_NOW='noon' is not an ISO instant"):
        clock_from({"TTAPI_NOW": "noon"})
