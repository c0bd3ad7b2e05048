# SPDX-License-Identifier: Apache-2.0
"""What the doors ask about installed sources: capabilities are found by what a source has."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ttapi.api import ConfiguredResource, plugins
from ttapi.errors import UsageError
from ttapi.secret import Secret
from ttapi.sources.contract import BorrowsSettings, LoginSource

PLUGIN = """
from ttapi.sources.contract import Column, Resource

COLUMNS = (Column("symbol", "VARCHAR", "whose; never null"), Column("price", "DOUBLE", "USD; never null"))


class {kind}:
    name = "{name}"
    about = "A vendor."
    version = "1"
    resources = (
        Resource("prices", "{name}_prices", "Prices.", COLUMNS, grain=("symbol",), ttl="1d"),
    )
    setting_names = ("token", "account")
    sql_folder = None
    secret_names = ("token",)

    def missing_setting(self, resource, context):
        return None

    def survey(self, resource, context):
        return []

    def fetch(self, resource, requests, context):
        return iter(())
"""
PROOF = """
    def prove_login(self, context):
        return f"{context.settings['token']} of {context.settings.get('account')}"
"""


@pytest.fixture
def strangers(lab):
    """A home with a stranger's source that has a login, and one that only says so."""
    lab.home.sources.mkdir(exist_ok=True)
    whole = PLUGIN.format(kind="Whole", name="whole") + PROOF
    (lab.home.sources / "whole.py").write_text(whole)
    (lab.home.sources / "half.py").write_text(PLUGIN.format(kind="Half", name="half"))
    lab.environ["TTAPI_WHOLE_ACCOUNT"] = "A1"
    return lab


def test_a_login_is_proved_with_what_was_given_beside_the_sources_settings(strangers):
    environment = strangers.environment()
    assert plugins.secret_names(environment, "whole") == ("token",)
    given = {"token": Secret("t0ken-of-a-test")}
    assert plugins.prove_login(environment, "whole", given) == "t0ken-of-a-test of A1"


@pytest.mark.parametrize("name", ["half", "metastock", "nobody"])
def test_a_source_without_a_whole_login_is_refused_and_the_others_named(strangers, name):
    with pytest.raises(UsageError, match=f"'{name}' is no source with a login") as refused:
        plugins.secret_names(strangers.environment(), name)
    assert refused.value.hint == "known: tastytrade, whole"


def test_half_a_login_breaks_the_contract_and_a_whole_one_does_not(strangers):
    problems = {
        one.name: plugins.contract_problems(one) for one in plugins.sources(strangers.environment())
    }
    login = "secret_names without prove_login(context), which tries them"
    assert login in problems["half"]
    assert login not in problems["whole"]
    assert not any("secret_names" in text for text in problems["tastytrade"])


def test_bundled_sources_have_the_capabilities_they_use(lab):
    found = {one.name: one.source for one in plugins.sources(lab.environment())}
    assert {name for name, one in found.items() if isinstance(one, LoginSource)} == {"tastytrade"}
    assert {name for name, one in found.items() if isinstance(one, BorrowsSettings)} == {"dxlink"}


def test_a_resource_says_which_setting_is_missing_and_what_gives_it(lab):
    environment = lab.environment()
    (vendor,) = plugins.sources(environment, "tastytrade")
    found = {one.dataset: one for one in plugins.configured_resources(environment, vendor.source)}
    resource = next(r for r in vendor.source.resources if r.table == "tastytrade_accounts")
    assert found["raw.tastytrade_accounts"] == ConfiguredResource(
        "raw.tastytrade_accounts", resource.about, resource.ttl, "client_secret", "ttapi login"
    )


def test_a_source_nobody_installed_is_refused_and_those_there_named(lab):
    with pytest.raises(UsageError, match="no source is called 'nobody'") as refused:
        plugins.sources(lab.environment(), "nobody")
    assert "tastytrade" in str(refused.value.hint)


def test_only_a_fetch_that_failed_is_told():
    source = SimpleNamespace(resources=[SimpleNamespace(table=name) for name in "abc"])
    states = {"raw.a": SimpleNamespace(error=None), "raw.b": SimpleNamespace(error="torn")}
    environment = SimpleNamespace(home_state=SimpleNamespace(states=states))
    told = ["raw.b: the last fetch failed: torn"]
    assert plugins.last_failures(environment, source) == told
    assert plugins.last_failures(environment, None) == []
