"""One refresh in all: a token class whose refresh asks the store first, for SDKs that know nothing of it.

The SDK finds its token by id for every API call, and lets the token that it found refresh itself. So the tokens that the store
gives out are of this class; one that it only fills, at a restart, is told to do the same.
"""

from __future__ import annotations

import weakref
from types import MethodType
from typing import Any, Optional

from .. import errors
from .._tokcask import COLUMNS, Token
from ._sdk_store import _DOMAIN, _ID, CODE, UNKNOWN_ID, OAuthToken, SDKException, TokcaskStore, _columns, _made

REFRESH_FAILED = "Exception in refresh_token - tokcask"


def token_class(store: TokcaskStore) -> Any:
    """The class of the tokens that this store gives out."""
    # The store has the class: that must not keep the store.
    reference = weakref.ref(store)

    class StoredToken(OAuthToken):
        # (No attribute here or on a token may be named as one of a token's columns: the SDK copies those between tokens.)

        def refresh_access_token(self, oauth_token: Any, url: str) -> Any:
            alive = reference()
            if alive is None:
                return OAuthToken.refresh_access_token(oauth_token, oauth_token, url)
            return _refresh(alive, oauth_token, url)

        def __reduce__(self) -> Any:
            # Another process has another store, or none: there it is the SDK's own, until that store finds it.
            return _made, (OAuthToken, _columns(self))

        @classmethod
        def adopt(cls, token: OAuthToken, login: Optional[str]) -> None:
            """Lets a token that the application has made refresh itself likewise; with this refresh token, if it brings one."""
            token._tokcask_login = login or None
            if not isinstance(token, cls):
                token.refresh_access_token = MethodType(cls.refresh_access_token, token)

    return StoredToken


def _refresh(store: TokcaskStore, token: Any, url: str) -> Any:
    had = _columns(token)
    if not had[_ID]:
        return OAuthToken.refresh_access_token(token, token, url)
    login = getattr(token, "_tokcask_login", None)
    answered = {}

    def ask(row: Any) -> Any:
        # The row as it stands: its refresh token may be younger than what this thread has read.
        asked = _made(OAuthToken, _row_columns(row))
        asked.set_client_id(token.get_client_id())
        asked.set_client_secret(token.get_client_secret())
        asked.set_api_domain(token.get_api_domain())
        if login is not None:
            asked.set_refresh_token(login)
        OAuthToken.refresh_access_token(asked, asked, url)
        answered["domain"] = asked.get_api_domain()
        return {
            "access_token": asked.get_access_token(),
            "refresh_token": asked.get_refresh_token(),
            "expiry_time": asked.get_expires_in(),
            "api_domain": asked.get_api_domain(),
        }

    is_stored = True
    try:
        row = store.store.refresh(ask, id=had[_ID]).token
    except errors.UnknownKeyError as error:
        # It was deleted meanwhile: a login that has ended is not brought back.
        raise SDKException(CODE, UNKNOWN_ID) from error
    except errors.SaveFailedError as error:
        # The answer works, and the SDK will try to save it.
        row, is_stored = error.token, False
    except errors.Error as error:
        raise SDKException(CODE, REFRESH_FAILED, None, error) from error
    token.set_access_token(row.access_token)
    token.set_expires_in(row.expiry_time)
    if login is None or answered:
        token.set_refresh_token(row.refresh_token)
    domain = answered.get("domain", row.api_domain)
    if domain is not None and (answered or had[_DOMAIN] is None):
        token.set_api_domain(domain)
    if is_stored:
        token._tokcask_stored, token._tokcask_login = _row_columns(row), None
    return token


def _row_columns(row: Token) -> tuple:
    return tuple(getattr(row, name) for name in COLUMNS)
