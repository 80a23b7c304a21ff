"""The SDKs' own interface, on a tokcask store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable, List, Optional

from .. import errors
from .._store import Options, Path, Store

try:
    from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
    from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
    from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
    from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
except ImportError as error:
    raise ImportError("the Zoho CRM SDK is missing: pip install tokcask[zoho], or zohocrmsdk7_0") from error

if TYPE_CHECKING:
    from typing_extensions import Unpack

LOG = logging.getLogger("tokcask")

# What the SDK's FileStore says, which callers may look for.
CODE = "TOKEN_STORE"
UNKNOWN_ID = "Exception in getTokenById - FileStore : Given ID is invalid"
UNKNOWN_DELETE = "Exception in FileStore : Given Id not found"
TOO_LITTLE = "Exception in FileStore : Given user authentication details not found."
FIND_FAILED = "Exception in get_token - FileStore"
FIND_BY_ID_FAILED = "Exception in FileStore : Given Id not found"
SAVE_FAILED = "Exception in save_token - FileStore"
DELETE_FAILED = "Exception in delete_tokens - FileStore"
LIST_FAILED = "Exception in get_tokens - FileStore"

# What keeps a call from being answered: the store's errors, and what is no text, or none that can be stored.
FAILURES = (errors.Error, TypeError, ValueError)

_ID, _USER, _CLIENT, _CLIENT_SECRET, _REFRESH, _ACCESS, _GRANT, _EXPIRY, _REDIRECT, _DOMAIN = range(10)


class TokcaskStore(TokenStore):
    """A token store for `Initializer.initialize(..., store=...)`, in the directory `path`; options as `tokcask.Store` has them.

    Threads and processes share it. The SDK does not tell anybody that a save has failed: here it is logged under "tokcask", and
    `on_error` is called with the error. `refresh_once=True` lets one of all threads and processes refresh a token; see there.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_error: Optional[Callable[[Exception], Any]] = None,
        refresh_once: bool = False,
        **options: Unpack[Options],
    ) -> None:
        self.store = Store(path, **options)
        self._connection = self.store._connection
        self._on_error = on_error
        self._token_class = OAuthToken
        if refresh_once:
            _enable(self)

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return token
        partial = _columns(token)
        try:
            found = self._connection.call("find_columns", partial)
        except FAILURES as error:
            raise SDKException(CODE, FIND_FAILED, None, error) from error
        if found is None:
            return None
        _fill(token, partial, found)
        # Never another row's id beside this row's secrets.
        token.set_id(found[_ID])
        if self._token_class is not OAuthToken:
            # Found by the user's name, it may bring another login than the row's.
            self._token_class.adopt(token, None if partial[_USER] is None else partial[_REFRESH])
        return token

    def find_token_by_id(self, id: Any) -> Any:
        handle = self._connection.handle
        try:
            try:
                found = handle.columns_by_id(id)
            except errors.ForkedError:
                found = self._connection.reopened(handle).columns_by_id(id)
        except errors.UnknownIdError as error:
            raise SDKException(CODE, UNKNOWN_ID) from error
        except FAILURES as error:
            if not isinstance(id, str):
                raise SDKException(CODE, UNKNOWN_ID) from error
            raise SDKException(CODE, FIND_BY_ID_FAILED, None, error) from error
        return _made(self._token_class, found)

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            return
        columns = _columns(token)
        stored = getattr(token, "_tokcask_stored", None)
        if stored is not None:
            # A refresh has saved it, and somebody may have saved more since: only what differs from that is said again.
            columns = (stored[_ID], *(new if new != old else None for new, old in zip(columns[1:], stored[1:])))
            if columns.count(None) == len(columns) - 1:
                return
        try:
            saved = self._connection.call("save_columns", columns)
        except errors.TooLittleError as error:
            self._tell(error)
            raise SDKException(CODE, TOO_LITTLE) from error
        except FAILURES as error:
            self._tell(error)
            raise SDKException(CODE, SAVE_FAILED, None, error) from error
        # Only now: a token never has the id of a save that failed.
        _fill(token, _columns(token), saved)
        if stored is not None:
            token._tokcask_stored = _columns(token)

    def delete_token(self, id: Any) -> None:
        try:
            self._connection.call("delete_token", id)
        except errors.UnknownIdError as error:
            raise SDKException(CODE, UNKNOWN_DELETE) from error
        except FAILURES as error:
            if not isinstance(id, str):
                raise SDKException(CODE, UNKNOWN_DELETE) from error
            raise SDKException(CODE, DELETE_FAILED, None, error) from error

    def get_tokens(self) -> List[Any]:
        try:
            rows = self._connection.call("all_columns")
        except FAILURES as error:
            raise SDKException(CODE, LIST_FAILED, None, error) from error
        return [_made(self._token_class, row) for row in rows]

    def delete_tokens(self) -> None:
        try:
            self._connection.call("clear")
        except FAILURES as error:
            raise SDKException(CODE, DELETE_FAILED, None, error) from error

    def close(self) -> None:
        """Lets go of the files. The SDK never calls this; a store also closes when the program ends."""
        self.store.close()

    def _tell(self, error: Exception) -> None:
        # Of a TypeError or ValueError only its kind: its text may quote what was to be saved.
        text = str(error) if isinstance(error, errors.Error) else type(error).__name__
        LOG.error("a token was not saved, and is lost when the program ends: %s", text)
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:
                # The SDK would swallow it, and the reason with it.
                LOG.exception("on_error failed")

    def __repr__(self) -> str:
        return f"TokcaskStore({self.store.path!r})"


def refresh_once(store: TokcaskStore) -> TokcaskStore:
    """Lets one of all threads and processes refresh a token of this store, while the others wait for what it saved.

    The SDK by itself makes one request a thread. `Initializer.initialize(..., store=refresh_once(TokcaskStore("tokens")))`
    changes nothing else: the tokens that the store gives the SDK ask the store before they ask Zoho. If Zoho refuses, the
    caller that asked gets the SDK's exception, and for a moment nobody else asks for that row: `SDKException` with
    `errors.BackOffError` as its cause.
    """
    _enable(store)
    return store


def _enable(store: TokcaskStore) -> None:
    from ._once import token_class

    store._token_class = token_class(store)


def _columns(token: Any) -> tuple:
    """What a token says. A user signature without a name is there, and matches nothing: an empty name."""
    signature = token.get_user_signature()
    user_name = None if signature is None else signature.get_name() or ""
    return (
        token.get_id(),
        user_name,
        token.get_client_id(),
        token.get_client_secret(),
        token.get_refresh_token(),
        token.get_access_token(),
        token.get_grant_token(),
        token.get_expires_in(),
        token.get_redirect_url(),
        token.get_api_domain(),
    )


_SETTERS = (
    (_CLIENT, "set_client_id"),
    (_CLIENT_SECRET, "set_client_secret"),
    (_REFRESH, "set_refresh_token"),
    (_ACCESS, "set_access_token"),
    (_GRANT, "set_grant_token"),
    (_EXPIRY, "set_expires_in"),
    (_REDIRECT, "set_redirect_url"),
    (_DOMAIN, "set_api_domain"),
)


def _fill(token: Any, had: tuple, row: tuple) -> None:
    """Fills what was null on the token, and nothing else."""
    if had[_ID] is None:
        token.set_id(row[_ID])
    if had[_USER] is None and row[_USER]:
        token.set_user_signature(UserSignature(row[_USER]))
    for column, setter in _SETTERS:
        if had[column] is None and row[column]:
            getattr(token, setter)(row[column])


def _made(token_class: Any, row: tuple) -> Any:
    """A token of its own, made by the constructor, which sets what no setter does."""
    id, user_name, client_id, client_secret, refresh_token, access_token, grant_token, expiry, redirect, domain = row
    signature = None if user_name is None else UserSignature(user_name)
    token = token_class(
        client_id, client_secret, grant_token, refresh_token, redirect, id, access_token, signature, domain
    )
    if expiry is not None:
        token.set_expires_in(expiry)
    return token
