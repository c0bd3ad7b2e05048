# SPDX-License-Identifier: Apache-2.0
"""`ttapi login` against the simulated vendor: proved, kept sealed, used, forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def vendor():
    with VendorServer(VendorMarket(7, NOW)) as server:
        yield server


@pytest.fixture
def customer(lab, vendor, tmp_path):
    """A home that knows where the vendor is and nobody's credentials."""
    lab.environ |= {
        "TTAPI_TASTYTRADE_BASE_URL": vendor.base_url,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    return lab


def _lines(vendor):
    grant = vendor.credentials.grant
    return f"{grant.client_secret}\n{grant.refresh_token}\n"


def test_login_proves_and_keeps_what_refresh_then_uses(customer, vendor):
    before = customer.ttapi("refresh", "raw.tastytrade_accounts")
    assert before.returncode == 2
    assert "client_secret is not set" in before.stderr
    offered = customer.ttapi("sources").stdout
    assert "not configured: client_secret; ttapi login)" in offered
    assert "not configured: token; ttapi login)" in offered
    done = customer.ttapi("login", stdin=_lines(vendor))
    assert done.returncode == 0, done.stderr
    assert "tastytrade: accepted, 2 accounts" in done.stderr
    sealed = customer.home.root / "credentials.sealed"
    assert f"stored in {sealed}, sealed with the key of" in done.stderr
    assert sealed.stat().st_mode & 0o777 == 0o600
    for secret in _lines(vendor).split():
        assert secret.encode() not in sealed.read_bytes()
        assert secret not in done.stdout + done.stderr
    assert customer.ttapi("refresh", "raw.tastytrade_accounts").returncode == 0
    assert customer.rows("select count(*) from raw.tastytrade_accounts where is_current") == [(2,)]


def test_refused_credentials_are_not_kept(customer):
    done = customer.ttapi("login", stdin="wrong-secret-1\nwrong-token-2\n")
    assert done.returncode == 3
    assert "the grant is refused: status 401" in done.stderr
    assert "wrong-secret-1" not in done.stderr
    assert not (customer.home.root / "credentials.sealed").exists()


def test_forgotten_credentials_are_gone(customer, vendor):
    customer.ttapi("login", "--no-check", stdin=_lines(vendor))
    assert customer.ttapi("login", "--forget").returncode == 0
    assert customer.ttapi("refresh", "raw.tastytrade_accounts").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (["login", "nobody"], "", "'nobody' is no source with a login"),
        (["login"], "", "no client_secret was given"),
        (["login"], "only-one-line\n", "no refresh_token was given"),
    ],
)
def test_what_is_missing_is_named(customer, arguments, stdin, complaint):
    done = customer.ttapi(*arguments, stdin=stdin)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_another_key_or_a_damaged_file_is_told(customer, vendor, tmp_path):
    customer.ttapi("login", "--no-check", stdin=_lines(vendor))
    key = tmp_path / "config" / "ttapi" / "seal.key"
    kept = key.read_bytes()
    key.unlink()
    gone = customer.ttapi("refresh", "raw.tastytrade_accounts")
    assert gone.returncode == 2
    assert f"{key}, which opens" in gone.stderr
    key.write_bytes(kept)
    sealed = customer.home.root / "credentials.sealed"
    sealed.write_bytes(sealed.read_bytes()[:-1] + b"x")
    damaged = customer.ttapi("refresh", "raw.tastytrade_accounts")
    assert damaged.returncode == 2
    assert "cannot be opened: it is damaged, or sealed with another key" in damaged.stderr
    sealed.chmod(0o644)
    assert "can be read by others" in customer.ttapi("refresh", "raw.tastytrade_accounts").stderr
