"""What the SDK's store and the tokens that it gives out do beside other saves, deletes and programs."""

import pickle
import subprocess
import sys

import pytest
from running_sdk import expire, who

import tokcask
from tokcask import errors
from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature


def test_tokens_that_the_store_lists_work(sdk, zoho):
    sdk.log_in("ann", refresh_once=True)
    expire(sdk.store)
    [token] = sdk.store.get_tokens()
    sdk.switch(token)
    assert who() == "ann" and who() == "ann"
    assert zoho.asked["refresh"] == 1


def test_a_row_that_was_deleted_meanwhile_does_not_come_back(sdk, zoho):
    sdk.log_in("ann", refresh_once=True)
    expire(sdk.store)
    found = sdk.store.find_token_by_id("1")
    sdk.store.delete_token("1")
    with pytest.raises(SDKException) as raised:
        found.refresh_access_token(found, sdk.environment().accounts_url)
    assert isinstance(raised.value.__cause__, errors.UnknownKeyError)
    assert zoho.asked["refresh"] == 0 and sdk.store.get_tokens() == []


@pytest.mark.parametrize("once", [False, True])
def test_what_the_application_brings_is_stored_with_the_refresh(sdk, zoho, once):
    sdk.log_in(refresh_once=once)
    expire(sdk.store)
    token = OAuthToken(refresh_token="refresh-ann", client_id="new-client", client_secret="new-secret", redirect_url="new-url")
    sdk.start(token, refresh_once=once)
    row = sdk.row(id="1")
    assert (row.client_id, row.client_secret, row.redirect_url) == ("new-client", "new-secret", "new-url")
    assert (zoho.asked["refresh"], who()) == (1, "ann")


def test_the_sdks_save_takes_nothing_back_that_somebody_saved_since_the_refresh(sdk, zoho):
    sdk.log_in(refresh_once=True)
    expire(sdk.store)
    found = sdk.store.find_token_by_id("1")
    found.refresh_access_token(found, sdk.environment().accounts_url)
    # Another login of the same user, while the SDK looks up the name.
    sdk.store.store.save(id="1", refresh_token="refresh-again")
    found.set_user_signature(UserSignature("ann@new.test:7001"))
    sdk.store.save_token(found)
    assert (sdk.row(id="1").refresh_token, sdk.row(id="1").user_name) == ("refresh-again", "ann@new.test:7001")
    revision = sdk.row(id="1").revision
    sdk.store.save_token(found)
    assert sdk.row(id="1").revision == revision, "nothing new, and nothing written"


def test_a_store_that_nobody_has_any_more_is_closed(sdk, zoho, path):
    store = TokcaskStore(path + ".other", refresh_once=True)
    store.store.save(user_name="ana", access_token="a")
    tokens = store.get_tokens()
    del store
    tokcask.Store(path + ".other", exclusive=True).close()
    assert tokens[0].get_id() == "1"


def test_the_sdk_is_not_imported_before_the_store_is_asked_for():
    program = "import sys, tokcask.zoho; assert not [name for name in sys.modules if 'zohocrmsdk' in name]; dir(tokcask.zoho)"
    subprocess.run([sys.executable, "-c", program], check=True)
    program = "import sys; sys.modules['zohocrmsdk'] = None; from tokcask.zoho import TokcaskStore"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install tokcask[zoho]" in ran.stderr


def test_tokens_go_to_other_processes_as_the_sdks_own(sdk, zoho):
    sdk.log_in(refresh_once=True)
    for token in (sdk.token, sdk.store.find_token_by_id("1")):
        sent = pickle.loads(pickle.dumps(token))
        assert isinstance(sent, OAuthToken) and sent.get_refresh_token() == "refresh-ann"
        assert sent.get_id() == "1" and sent.get_expires_in() == token.get_expires_in()


@pytest.mark.parametrize("once", [False, True])
def test_an_expiry_may_be_a_number(sdk, zoho, once):
    """The SDK's FileStore writes it out, too."""
    sdk.log_in(refresh_once=once)
    sdk.token.set_expires_in(1_000_000_000_000)
    sdk.store.save_token(sdk.token)
    assert sdk.row(id="1").expiry_time == "1000000000000"
    assert who() == "ann" and zoho.asked["refresh"] == 1
