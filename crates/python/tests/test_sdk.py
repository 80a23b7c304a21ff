"""The SDK, unmodified, on our store, end to end: against a fake of Zoho's servers."""

import logging
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
from running_sdk import CLIENT, expire, in_threads, who

from tokcask import errors
from tokcask.zoho import refresh_once
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature


def test_grant_expiry_and_refresh(sdk, zoho):
    sdk.log_in()
    row = sdk.row(user_name="ann@example.test:7001")
    assert (row.id, row.refresh_token, row.grant_token, row.api_domain) == ("1", "refresh-ann", "grant-ann", zoho.url)
    assert sdk.token.get_id() == "1"
    assert who() == "ann" and who() == "ann"
    assert (zoho.asked["grant"], zoho.asked["refresh"]) == (1, 0)
    expire(sdk.store)
    assert who() == "ann"
    assert zoho.asked["refresh"] == 1
    assert who() == "ann"
    assert zoho.asked["refresh"] == 1
    assert len(sdk.store.get_tokens()) == 1


@pytest.mark.parametrize("once", [False, True])
def test_restarts_by_every_key(sdk, zoho, once):
    sdk.log_in(refresh_once=once)
    access = sdk.row(id="1").access_token
    ways = [
        lambda: OAuthToken(grant_token="grant-ann", **CLIENT),
        lambda: OAuthToken(refresh_token="refresh-ann", **CLIENT),
        lambda: OAuthToken(user_signature=UserSignature("ann@example.test:7001"), refresh_token="refresh-ann"),
        lambda: OAuthToken(id="1"),
        lambda: OAuthToken(access_token=access),
    ]
    for way in ways:
        sdk.start(way(), refresh_once=once)
        assert who() == "ann" and sdk.token.get_id() == "1"
        assert len(sdk.store.get_tokens()) == 1
    assert (zoho.asked["grant"], zoho.asked["refresh"]) == (1, 0)
    # And with an access token that ended meanwhile.
    for number, way in enumerate(ways[:4], 1):
        expire(sdk.store)
        sdk.start(way(), refresh_once=once)
        assert who() == "ann" and zoho.asked["refresh"] == number
    assert len(sdk.store.get_tokens()) == 1


def test_an_access_token_alone_is_stored(sdk, zoho):
    zoho.users["access-ann-own"] = "ann"
    sdk.start(OAuthToken(access_token="access-ann-own"))
    assert who() == "ann"
    assert sdk.row(access_token="access-ann-own").id == "1"


@pytest.mark.parametrize("once", [False, True])
def test_a_restart_with_another_login_uses_and_stores_that(sdk, zoho, once):
    sdk.log_in(refresh_once=once)
    expire(sdk.store)
    zoho.users["refresh-ann-other"] = "ann"
    del zoho.users["refresh-ann"]
    name = UserSignature("ann@example.test:7001")
    sdk.start(OAuthToken(user_signature=name, refresh_token="refresh-ann-other", **CLIENT), refresh_once=once)
    assert who() == "ann"
    assert sdk.row(id="1").refresh_token == "refresh-ann-other"
    assert len(sdk.store.get_tokens()) == 1


def test_two_users(sdk, zoho):
    sdk.log_in("ann")
    ann = sdk.token
    sdk.switch(OAuthToken(grant_token=zoho.grant("bob"), **CLIENT))
    assert who() == "bob"
    sdk.switch(ann)
    assert who() == "ann"
    expire(sdk.store)
    assert who() == "ann"
    sdk.switch(OAuthToken(id="2"))
    assert who() == "bob"
    assert [row.user_name for row in sdk.store.store] == ["ann@example.test:7001", "bob@example.test:7001"]


@pytest.mark.parametrize("once", [False, True])
def test_thirty_users_are_thirty(sdk, zoho, once):
    sdk.log_in("user0", refresh_once=once)
    tokens = [sdk.token]
    for number in range(1, 30):
        sdk.switch(OAuthToken(grant_token=zoho.grant(f"user{number}"), **CLIENT))
        assert who() == f"user{number}"
        tokens.append(sdk.token)
    assert [token.get_id() for token in tokens] == [str(number) for number in range(1, 31)]
    expire(sdk.store)
    for number, token in enumerate(tokens):
        sdk.switch(token)
        assert who() == f"user{number}"


@pytest.mark.parametrize("once, refreshes", [(False, 16), (True, 1)])
def test_sixteen_threads_meet_one_expired_token(sdk, zoho, once, refreshes):
    sdk.log_in(refresh_once=once)
    expire(sdk.store)
    zoho.takes = 0.3
    revision = sdk.row(id="1").revision
    assert in_threads(16, lambda _: who()) == ["ann"] * 16
    assert zoho.asked["refresh"] == refreshes
    assert len(sdk.store.get_tokens()) == 1
    if once:
        assert sdk.row(id="1").revision == revision + 1, "one refresh, and one save"


def test_sixteen_threads_with_a_rotating_refresh_token_spend_it_once(sdk, zoho):
    sdk.log_in()
    refresh_once(sdk.store)
    zoho.takes, zoho.rotates = 0.1, True
    for turn in range(1, 4):
        expire(sdk.store)
        assert in_threads(16, lambda _: who()) == ["ann"] * 16
        assert zoho.asked["refresh"] == turn
        assert sdk.row(id="1").refresh_token == f"refresh-ann-{turn}"


@pytest.mark.parametrize("once", [False, True])
def test_sixteen_threads_with_a_user_each(sdk, zoho, once):
    sdk.log_in("first", refresh_once=once)
    grants = [zoho.grant(f"user{number}") for number in range(16)]

    def one(number):
        Initializer.LOCAL.init = None
        config = Initializer.initializer.sdk_config
        token = OAuthToken(grant_token=grants[number], **CLIENT)
        Initializer.switch_user(sdk.environment(), token, sdk_config=config)
        return who(), who(), token.get_id()

    outcomes = in_threads(16, one)
    assert [outcome[:2] for outcome in outcomes] == [(f"user{number}",) * 2 for number in range(16)]
    assert sorted(int(outcome[2]) for outcome in outcomes) == list(range(2, 18))
    for number, outcome in enumerate(outcomes):
        assert sdk.row(id=outcome[2]).user_name == f"user{number}@example.test:7001"


@pytest.mark.parametrize("once", [False, True])
def test_a_refused_refresh_is_the_sdks_error_and_changes_nothing(sdk, zoho, once):
    sdk.log_in(refresh_once=once)
    expire(sdk.store)
    before = list(sdk.store.store)
    zoho.refuses = True
    with pytest.raises(SDKException) as raised:
        who()
    chain, error = [], raised.value
    while error is not None:
        chain.append(str(error))
        error = getattr(error, "cause", None)
    assert "invalid_grant" in " ".join(chain)
    assert list(sdk.store.store) == before
    zoho.refuses = False
    if once:
        # For a second nobody asks again.
        with pytest.raises(SDKException) as raised:
            sdk.token.get_token()
        assert isinstance(raised.value.cause, errors.BackOffError)
        time.sleep(1.1)
    assert who() == "ann"


@pytest.mark.parametrize("once", [False, True])
def test_a_save_that_fails_leaves_the_token_unsaved_and_says_so(sdk, zoho, once, caplog, monkeypatch):
    """A full disk, as a limit on the length of files makes one: what the log has as room for rows is used up first."""
    told = []
    sdk.log_in(refresh_once=once, on_error=told.append)
    # What the SDK logs of it is malformed.
    monkeypatch.setattr(logging.getLogger("SDKLogger"), "propagate", False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (Path(sdk.path) / "store.log").stat().st_size
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        for length in (30_000, 300, 1):
            with pytest.raises(errors.NoSpaceError):
                for _ in range(10_000):
                    sdk.store.store.save(user_name="filler", access_token="x" * length)
        with caplog.at_level(logging.ERROR, "tokcask"):
            token = OAuthToken(grant_token=zoho.grant("bob"), **CLIENT)
            sdk.switch(token)
            who_bob = who()
        assert who_bob == "bob", "the SDK goes on with what it got"
        assert token.get_id() is None and sdk.row(user_name="bob@example.test:7001") is None
        assert told and all(isinstance(error, errors.NoSpaceError) for error in told)
        assert "was not saved" in caplog.text
        assert not [secret for secret in ("refresh-bob", "access-bob", "fake-client-secret") if secret in caplog.text]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # The SDK saves again with the next refresh.
    token.set_expires_in("1000000000000")
    assert who() == "bob"
    assert token.get_id() == sdk.row(user_name="bob@example.test:7001").id


def test_remove_and_revoke(sdk, zoho):
    sdk.log_in("ann")
    ann = sdk.token
    sdk.switch(OAuthToken(grant_token=zoho.grant("bob"), **CLIENT))
    bob = sdk.token
    if "OAuthToken()" not in Path(sys.modules[OAuthToken.__module__].__file__).read_text():
        # (The SDK for 7.0 cannot make the token that it would ask the store with.)
        assert bob.revoke("2") is True
        assert zoho.revoked == {"refresh-bob"}
        assert bob.revoke("99") is False
    assert ann.remove() is True
    assert ann.remove() is False
    with pytest.raises(SDKException):
        ann.get_token()
    sdk.switch(OAuthToken(grant_token=zoho.grant("cyd"), **CLIENT))
    assert who() == "cyd" and sdk.token.get_id() == "3", "an id is never given again"
    sdk.store.delete_tokens()
    sdk.switch(OAuthToken(grant_token=zoho.grant("dan"), **CLIENT))
    assert who() == "dan" and sdk.token.get_id() == "4"
