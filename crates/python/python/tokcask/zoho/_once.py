"""One refresh in all: a token class whose refresh asks the store first, for SDKs that know nothing of it.

The SDK finds its token by id for every API call, and lets the token that it found refresh itself. So the tokens that the store
gives out are of this class; one that it only fills, at a restart, is told to do the same.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

from .. import errors
from .._tokcask import Token
from ._sdk_store import _DOMAIN, _EXPIRY, _ID, CODE, OAuthToken, SDKException, TokcaskStore, _columns, _made

REFRESH_FAILED = "Exception in refresh_token - tokcask"


def token_class(store: TokcaskStore) -> Any:
    """The class of the tokens that this store gives out."""

    class StoredToken(OAuthToken):
        # (No attribute here or on a token may be named as one of a token's columns: the SDK copies those between tokens.)

        def refresh_access_token(self, oauth_token: Any, url: str) -> Any:
            return _refresh(store, oauth_token, url)

        @classmethod
        def adopt(cls, token: OAuthToken, row: Token) -> None:
            """Lets a token that the application has made, and this row has filled, refresh itself likewise."""
            token._tokcask_is_other = token.get_refresh_token() != row.refresh_token
            if not isinstance(token, cls):
                token.refresh_access_token = MethodType(cls.refresh_access_token, token)

    return StoredToken


def _refresh(store: TokcaskStore, token: Any, url: str) -> Any:
    had = _columns(token)
    # Another login than the row's, which the SDK's save will put in its place.
    if not had[_ID] or getattr(token, "_tokcask_is_other", False):
        return OAuthToken.refresh_access_token(token, token, url)

    def ask(row: Any) -> Any:
        # The row as it stands: its refresh token may be younger than what this thread has read.
        asked = _made(OAuthToken, _row_columns(row))
        asked.set_client_id(token.get_client_id())
        asked.set_client_secret(token.get_client_secret())
        OAuthToken.refresh_access_token(asked, asked, url)
        answer = _columns(asked)
        return {
            "access_token": asked.get_access_token(),
            "refresh_token": asked.get_refresh_token(),
            "expiry_time": answer[_EXPIRY],
            "api_domain": answer[_DOMAIN],
        }

    is_stored = True
    try:
        row = store.store.refresh(ask, id=had[_ID]).token
    except errors.UnknownKeyError:
        # It was deleted meanwhile. The SDK goes on with what it holds, as with any store.
        return OAuthToken.refresh_access_token(token, token, url)
    except errors.SaveFailedError as error:
        # The answer works, and the SDK will try to save it.
        row, is_stored = error.token, False
    except errors.Error as error:
        raise SDKException(CODE, REFRESH_FAILED, None, error) from error
    token.set_access_token(row.access_token)
    token.set_refresh_token(row.refresh_token)
    token.set_expires_in(row.expiry_time)
    if row.api_domain is not None:
        token.set_api_domain(row.api_domain)
    if is_stored:
        token._tokcask_stored = _columns(token)
    return token


def _row_columns(row: Any) -> tuple:
    return (
        row.id,
        row.user_name,
        row.client_id,
        row.client_secret,
        row.refresh_token,
        row.access_token,
        row.grant_token,
        row.expiry_time,
        row.redirect_url,
        row.api_domain,
    )
