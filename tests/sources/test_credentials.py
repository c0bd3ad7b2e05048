# SPDX-License-Identifier: Apache-2.0
"""Where secrets are kept and found: a keyring that works, else a sealed file, else settings."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import keyring_in_memory
import pytest

from ttapi.errors import UsageError
from ttapi.secret import Secret
from ttapi.sources.contract import SourceContext
from ttapi.sources.credentials import (
    FILE,
    find_secret,
    forget_secrets,
    has_secret,
    how_to_give,
    native_keyring,
    store_secrets,
)
from ttapi.sources.dxlink.source import DxlinkSource
from ttapi.sources.metastock.source import MetastockSource
from ttapi.sources.tastytrade.source import TastytradeSource

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
NAMES = ("client_secret", "refresh_token")
GIVEN = {("tastytrade", "client_secret"): Secret("stored-client-secret")}


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A user without a keyring, whose folders are the test's."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user" / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("TTAPI_SEAL_KEY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(keyring_in_memory.Keyring, "kept", {})


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def context_of(home, **settings):
    return SourceContext(settings, NOW, home=home)


def found(home, **settings):
    return find_secret("tastytrade", "client_secret", context_of(home, **settings)).reveal()


def test_a_keyring_that_works_is_used_and_nothing_lies_in_the_home(home, monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring_in_memory.Keyring")
    assert store_secrets(GIVEN, home) == "the keyring (keyring_in_memory)"
    kept = {("ttapi", f"tastytrade.client_secret@{home}"): "stored-client-secret"}
    assert keyring_in_memory.Keyring.kept == kept
    assert not (home / FILE).exists()
    assert found(home, client_secret="from the settings") == "stored-client-secret"
    forget_secrets("tastytrade", NAMES, home)
    assert keyring_in_memory.Keyring.kept == {}
    assert not has_secret("tastytrade", "client_secret", context_of(home))


@pytest.mark.parametrize(
    "named", ["keyring_in_memory.Broken", "no.such.Backend", "keyring.backends.fail.Keyring", "x"]
)
def test_a_keyring_that_does_not_work_is_none(home, monkeypatch, named):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", named)
    assert native_keyring() is None
    assert str(home / FILE) in store_secrets(GIVEN, home)
    assert found(home) == "stored-client-secret"


def test_a_sealed_file_is_the_users_alone_and_shows_nothing(home, tmp_path):
    where = store_secrets(GIVEN, home)
    key = tmp_path / "user" / "config" / "ttapi" / "seal.key"
    assert where == f"{home / FILE}, sealed with the key of {key}"
    assert {file.stat().st_mode & 0o777 for file in (home / FILE, key)} == {0o600}
    assert b"stored" not in (home / FILE).read_bytes()
    assert home not in key.parents
    store_secrets({("tastytrade", "refresh_token"): Secret("another-secret")}, home)
    assert found(home) == "stored-client-secret"
    forget_secrets("tastytrade", ("client_secret",), home)
    assert not has_secret("tastytrade", "client_secret", context_of(home))
    assert has_secret("tastytrade", "refresh_token", context_of(home))


def seal_key(byte):
    return base64.b64encode(bytes([byte]) * 32).decode()


def cut(file):
    file.write_bytes(file.read_bytes()[:-3])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)


def empty(file):
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_file_is_told_and_not_passed_over(home, damage):
    store_secrets(GIVEN, home)
    damage(home / FILE)
    with pytest.raises(UsageError, match="cannot be opened: it is damaged, or sealed with another"):
        found(home, client_secret="from the settings")


def test_a_foreign_key_opens_nothing(home, monkeypatch):
    monkeypatch.setenv("TTAPI_SEAL_KEY", seal_key(1))
    assert store_secrets(GIVEN, home).endswith("sealed with the key of TTAPI_SEAL_KEY")
    monkeypatch.setenv("TTAPI_SEAL_KEY", seal_key(2))
    with pytest.raises(UsageError, match="TTAPI_SEAL_KEY as it was"):
        found(home)
    monkeypatch.setenv("TTAPI_SEAL_KEY", "too short")
    with pytest.raises(UsageError, match="TTAPI_SEAL_KEY is no key: 32 bytes in base64 are"):
        found(home)
    monkeypatch.setenv("TTAPI_SEAL_KEY", seal_key(1))
    assert found(home) == "stored-client-secret"


def test_a_service_managers_credential_is_the_key(home, tmp_path, monkeypatch):
    (tmp_path / "ttapi-seal-key").write_text(seal_key(3) + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert store_secrets(GIVEN, home).endswith("the systemd credential ttapi-seal-key")
    assert found(home) == "stored-client-secret"


def test_a_key_that_is_gone_is_named(home, tmp_path):
    store_secrets(GIVEN, home)
    key = tmp_path / "user" / "config" / "ttapi" / "seal.key"
    key.unlink()
    with pytest.raises(UsageError) as told:
        found(home)
    assert str(told.value) == f"{key}, which opens {home / FILE}, is gone"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_not_used(home, mode):
    store_secrets(GIVEN, home)
    (home / FILE).chmod(mode)
    with pytest.raises(UsageError, match="can be read by others") as told:
        found(home)
    assert f"chmod 600 {home / FILE}" in str(told.value)


def test_settings_serve_where_nothing_is_stored_and_nothing_is_a_message(home):
    assert found(home, client_secret=" given ") == "given"
    assert has_secret("tastytrade", "client_secret", context_of(home, client_secret="x"))
    with pytest.raises(UsageError) as told:
        found(home)
    assert str(told.value) == (
        "[sources.tastytrade] client_secret is not known"
        " (ttapi login, or TTAPI_TASTYTRADE_CLIENT_SECRET in the environment)"
    )


@pytest.mark.parametrize(
    ("source", "field", "hint"),
    [
        (TastytradeSource(), "client_secret", "ttapi login"),
        (TastytradeSource(), "ca_file", "set [sources.tastytrade] ca_file in ttapi.toml"),
        (DxlinkSource(), "token", "ttapi login"),
        (MetastockSource(), "path", "set [sources.metastock] path in ttapi.toml"),
    ],
)
def test_a_secret_that_is_missing_leads_to_the_login_and_not_into_a_file(source, field, hint):
    assert how_to_give(source, field) == hint
