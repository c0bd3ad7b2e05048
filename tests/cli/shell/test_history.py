# SPDX-License-Identifier: Apache-2.0
"""History: kept for its owner only, without what looks like a secret."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from ttapi.cli.shell.prompt import LONGEST, PrivateHistory, looks_secret
from ttapi.config import load_settings
from ttapi.home import Home


@pytest.mark.parametrize(
    "text",
    ["set password = 'x'", "create secret s (type s3)", "select 'token=abc'", "api_key: 1", "attach 'postgres://bob:hunter2@localhost/db' as pg", "select 'key=1'", "Bearer abc", "from 'https://h/x?X-Amz-Signature=ab12'", "from 'https://h/x?a=1&sig=ab'"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_not_kept(tmp_path, text):
    assert looks_secret(text)
    history = PrivateHistory(tmp_path / "h")
    history.append_string(text)
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize(
    "text",
    ["select monkey from eod", "select key from t", ".tables", "from 'https://example.org/a@b'"],
)
def test_ordinary_words_are_kept(text):
    assert not looks_secret(text)


def test_a_secret_of_the_settings_is_not_kept_however_it_is_spelled(tmp_path):
    planted = "canary/of+the settings 07"
    home = Home(tmp_path / "home")
    load_settings(home, {"TTAPI_TASTYTRADE_REFRESH_TOKEN": planted})
    history = PrivateHistory(tmp_path / "h")
    for spelled in (planted, base64.b64encode(planted.encode()).decode(), quote(planted, safe="")):
        history.append_string(f"select * from accounts where nickname <> '{spelled}'")
    assert not (tmp_path / "h").exists()


def test_entries_are_kept_newest_first_for_the_owner_only(tmp_path):
    file = tmp_path / "h"
    history = PrivateHistory(file)
    for text in ("select 1;", "select\n2;", " ", "x" * (LONGEST + 1)):
        history.append_string(text)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(PrivateHistory(file).load_history_strings()) == ["select\n2;", "select 1;"]


def test_a_file_that_cannot_be_written_is_done_without(tmp_path):
    history = PrivateHistory(tmp_path / "none" / "h")
    history.append_string("select 1;")
    assert list(history.get_strings()) == ["select 1;"]
