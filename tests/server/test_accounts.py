# SPDX-License-Identifier: Apache-2.0
"""Users, logins and their tokens by themselves, with a clock that the test moves."""

from __future__ import annotations

import json
import os
import threading

import pytest
from argon2 import PasswordHasher
from forged_tokens import decoded, forgeries, stale_tokens
from moved_clock import MovedClock

from ttapi.errors import UnknownNameError, UsageError
from ttapi.server.accounts import OWNER, Accounts, RefusedLogin
from ttapi.server.auth import Identity, LoginPace
from ttapi.server.private_document import PrivateDocument
from ttapi.server.signing import ACCESS, ACCESS_S, KEY_S, LOGIN_S, REFRESH, Claims, SigningKeys

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD = "correct horse battery"
START = 1_800_000_000.0


@pytest.fixture
def clock():
    return MovedClock(START)


@pytest.fixture
def accounts(tmp_path, clock):
    """The analyst ann, the viewer bob."""
    found = Accounts(tmp_path / "accounts", clock, CHEAP)
    found.add("ann", "analyst", PASSWORD)
    found.add("bob", "viewer", PASSWORD)
    return found


def stands(accounts):
    return [(one.name, one.role, one.disabled_at, one.logins) for one in accounts.users()]


def why(act, *arguments):
    with pytest.raises(RefusedLogin) as refused:
        act(*arguments)
    return refused.value.user, refused.value.why


def test_a_login_gives_the_role_for_a_quarter_of_an_hour(accounts, clock):
    pair = accounts.login("ann", PASSWORD)
    assert (pair.user, pair.role, pair.expires_in_s) == ("ann", "analyst", ACCESS_S)
    assert repr(pair) == "TokenPair(ann, ***)"
    caller = accounts.identify(pair.access_token)
    assert caller == Identity("ann", "analyst", caller.login)
    clock.now += ACCESS_S - 1
    assert caller.is_good() and accounts.identify(pair.access_token) == caller
    clock.now += 1
    assert not caller.is_good() and accounts.identify(pair.access_token) is None


def test_a_refresh_token_is_no_access_token_and_no_access_token_a_refresh_token(accounts):
    pair = accounts.login("ann", PASSWORD)
    assert accounts.identify(pair.refresh_token) is None
    assert why(accounts.refresh, pair.access_token) == ("", "no refresh token")


def test_a_refresh_token_is_good_once_and_shown_again_ends_the_login(accounts, clock):
    first = accounts.login("ann", PASSWORD)
    other = accounts.login("ann", PASSWORD)
    second = accounts.refresh(first.refresh_token)
    third = accounts.refresh(second.refresh_token)
    assert accounts.identify(third.access_token).name == "ann"
    said = ("ann", "refresh token used again: the login was ended")
    assert why(accounts.refresh, first.refresh_token) == said
    for pair in (first, second, third):
        assert accounts.identify(pair.access_token) is None
        assert why(accounts.refresh, pair.refresh_token) == ("ann", "the login has ended")
    assert accounts.identify(other.access_token).name == "ann"
    assert stands(accounts)[0] == ("ann", "analyst", None, 1)


def test_a_login_ends_after_two_weeks_however_often_it_was_renewed(accounts, clock):
    pair = accounts.login("ann", PASSWORD)
    clock.now += LOGIN_S - 60
    pair = accounts.refresh(pair.refresh_token)
    assert pair.expires_in_s == 60
    clock.now += 60
    assert accounts.identify(pair.access_token) is None
    assert why(accounts.refresh, pair.refresh_token) == ("", "no refresh token")
    assert stands(accounts)[0] == ("ann", "analyst", None, 0)


def test_who_is_disabled_is_out_at_once_and_in_another_process_too(accounts, tmp_path, clock):
    elsewhere = Accounts(tmp_path / "accounts", clock, CHEAP)
    pair = elsewhere.login("ann", PASSWORD)
    code = elsewhere.give_code("ann")
    caller = elsewhere.identify(pair.access_token)
    assert caller.is_good()
    accounts.disable("ann")
    assert not caller.is_good() and elsewhere.identify(pair.access_token) is None
    assert why(elsewhere.refresh, pair.refresh_token) == ("ann", "the login has ended")
    assert why(elsewhere.login, "ann", PASSWORD) == ("ann", "disabled")
    assert why(elsewhere.exchange, code) == ("", "no code that is good")
    with pytest.raises(UsageError, match="ann is disabled"):
        elsewhere.issue("ann")
    # With another role she is another: what was given before stays good for nothing.
    accounts.add("ann", "admin", "another long password")
    assert elsewhere.identify(pair.access_token) is None
    assert elsewhere.login("ann", "another long password").role == "admin"
    assert why(elsewhere.login, "ann", PASSWORD) == ("ann", "wrong password")


def test_a_logout_ends_one_login(accounts):
    one, other = accounts.login("ann", PASSWORD), accounts.login("ann", PASSWORD)
    assert accounts.logout(accounts.identify(one.access_token)) is True
    assert accounts.identify(one.access_token) is None
    assert accounts.identify(other.access_token).name == "ann"
    assert accounts.logout(Identity(OWNER, "admin")) is False


def test_nobody_learns_which_names_there_are(accounts):
    asked = []

    class Counting(PasswordHasher):
        def verify(self, *given):
            asked.append(given[1])
            return super().verify(*given)

    accounts._hasher = Counting(time_cost=1, memory_cost=64, parallelism=1)
    assert why(accounts.login, "ann", "wrong") == ("ann", "wrong password")
    assert why(accounts.login, "eve", "wrong") == ("", "unknown user")
    assert why(accounts.login, "eve", "\ud800") == ("", "unknown user")
    assert asked == ["wrong", "wrong", "\ud800"]


def test_a_code_is_good_once_and_for_two_minutes(accounts, clock):
    code = accounts.give_code("bob")
    pair = accounts.exchange(code)
    assert accounts.identify(pair.access_token).role == "viewer"
    assert why(accounts.exchange, code) == ("", "no code that is good")
    late = accounts.give_code("bob")
    clock.now += 120
    assert why(accounts.exchange, late) == ("bob", "no code that is good")


def test_what_was_given_for_a_daemons_token_ends_with_it(accounts):
    pair = accounts.exchange(accounts.give_code(OWNER))
    code = accounts.give_code(OWNER)
    mine = accounts.login("ann", PASSWORD)
    assert accounts.identify(pair.access_token).role == "admin"
    accounts.forget_owner()
    assert accounts.identify(pair.access_token) is None
    assert why(accounts.exchange, code) == ("", "no code that is good")
    assert accounts.identify(mine.access_token).name == "ann"


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [
        ("ann", "viewer", PASSWORD, "ann is a user already"),
        ("Ann", "viewer", PASSWORD, "'Ann' is no name of a user"),
        ("../ann", "viewer", PASSWORD, "is no name of a user"),
        (OWNER, "viewer", PASSWORD, "is no name of a user"),
        ("eve", "king", PASSWORD, "'king' is no role"),
        ("eve", "viewer", "short", "a password of 5 characters is refused"),
        ("eve", "viewer", "x" * 1025, "a password of 1025 characters is refused"),
    ],
)
def test_what_cannot_be_a_user_is_refused(accounts, name, role, password, said):
    before = stands(accounts)
    with pytest.raises(UsageError) as refused:
        accounts.add(name, role, password)
    assert said in str(refused.value) and password not in str(refused.value)
    assert stands(accounts) == before


def test_a_name_that_nobody_has_is_told_with_the_one_that_was_meant(accounts):
    with pytest.raises(UnknownNameError, match=r"'an' is no user \(did you mean ann\?\)"):
        accounts.disable("an")


def test_passwords_and_tokens_are_in_no_file_and_the_files_are_the_owners(accounts, tmp_path):
    pair = accounts.login("ann", PASSWORD)
    code = accounts.give_code("ann")
    files = list((tmp_path / "accounts").iterdir())
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}
    assert (tmp_path / "accounts").stat().st_mode & 0o777 == 0o700
    for secret in (PASSWORD, pair.access_token, pair.refresh_token, code):
        assert [one for one in files if secret in one.read_text()] == []
    assert "$argon2id$" in (tmp_path / "accounts" / "users.json").read_text()


@pytest.mark.parametrize("harm", ["mode", "link", "text", "list"])
def test_a_file_that_cannot_be_trusted_lets_nobody_in(accounts, tmp_path, harm):
    caller = accounts.identify(accounts.login("ann", PASSWORD).access_token)
    file = tmp_path / "accounts" / "users.json"
    if harm == "mode":
        file.chmod(0o640)
    elif harm == "link":
        file.rename(tmp_path / "elsewhere.json")
        file.symlink_to(tmp_path / "elsewhere.json")
    else:
        os.truncate(file, 0)
        file.write_text("{" if harm == "text" else "[]")
    assert not caller.is_good()
    with pytest.raises(UsageError, match=r"users\.json"):
        accounts.login("ann", PASSWORD)


def test_changes_of_many_at_once_are_all_kept(tmp_path, clock):
    def add(number):
        Accounts(tmp_path, clock, CHEAP).add(f"user{number}", "viewer", PASSWORD)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    users = Accounts(tmp_path, clock, CHEAP).users()
    assert sorted(one.name for one in users) == sorted(f"user{n}" for n in range(12))


def test_a_change_that_fails_changes_nothing(tmp_path):
    document = PrivateDocument(tmp_path / "x.json")
    with document.changing() as found:
        found["a"] = [1]
    with pytest.raises(ZeroDivisionError), document.changing() as found:
        found["a"].append(2)
        raise ZeroDivisionError
    assert document.read() == PrivateDocument(tmp_path / "x.json").read() == {"a": [1]}
    assert sorted(one.name for one in tmp_path.iterdir()) == [".x.json.lock", "x.json"]


def test_a_key_that_signs_no_more_is_known_until_its_tokens_have_ended(tmp_path, clock):
    keys = SigningKeys(tmp_path / "keys.json", clock)
    elsewhere = SigningKeys(tmp_path / "keys.json", clock)
    claims = Claims("ann", "login", 0, int(START) + LOGIN_S)
    old = keys.sign(REFRESH, claims)
    kid = keys.rotate()
    new = elsewhere.sign(REFRESH, claims)
    assert json.loads(decoded(new.split(".")[0]))["kid"] == kid
    assert keys.verified(REFRESH, old) == elsewhere.verified(REFRESH, new) == claims
    clock.now += LOGIN_S
    keys.rotate()
    assert len(json.loads((tmp_path / "keys.json").read_text())["keys"]) == 3 - 1
    late = Claims("ann", "login", 0, int(clock.now) + 2 * KEY_S)
    signed = keys.sign(ACCESS, late)
    clock.now += KEY_S
    renewed = keys.sign(ACCESS, late)
    assert renewed.split(".")[0] != signed.split(".")[0], "a key that is old enough signs no more"
    assert keys.verified(ACCESS, signed) == late
    clock.now += LOGIN_S
    assert SigningKeys(tmp_path / "keys.json", clock).verified(ACCESS, signed) is None


@pytest.mark.parametrize("most", [5, 1, 40])
def test_who_tries_too_often_waits_under_a_name_and_from_an_address(most):
    now = 0.0
    pace = LoginPace(most, lambda: now)
    of_name = [pace.wait_s("ann", f"address {n}") > 0 for n in range(most + 1)]
    assert of_name == [False] * most + [True]
    of_address = [pace.wait_s(f"user {n}", "one") > 0 for n in range(4 * most + 1)]
    assert of_address == [False] * 4 * most + [True]
    now = 31.0
    assert pace.wait_s("ann", "one") == 0


def test_two_hundred_tokens_that_nobody_gave_are_nobodys(accounts, clock, tmp_path):
    good = accounts.login("ann", PASSWORD).access_token
    stored = json.loads((tmp_path / "accounts" / "signing_keys.json").read_text())["keys"][-1]
    forged = [*forgeries(good, stored["jwk"], clock()), *stale_tokens(accounts, PASSWORD)]
    assert len(set(forged)) >= 200
    assert [one for one in forged if accounts.identify(one) is not None] == []
    assert [one for one in forged if refreshed(accounts, one)] == []
    assert accounts.identify(good).name == "ann"


def refreshed(accounts, token):
    try:
        return accounts.refresh(token)
    except RefusedLogin:
        return None
