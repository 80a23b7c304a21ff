"""An embedded, crash-safe store for OAuth tokens.

    >>> import tokcask
    >>> with tokcask.Store("tokens") as store:
    ...     saved = store.save(user_name="ana", refresh_token="fake-refresh")
    ...     store.get(user_name="ana").id == saved.id
    True

`tokcask.zoho` has the drop-in token store for the Zoho CRM SDKs.
"""

import os

from . import errors
from ._store import Refreshed, Store
from ._tokcask import Token, __version__, salvage, verify
from .errors import Error

__all__ = ["Error", "Refreshed", "Store", "Token", "__version__", "errors", "generate_key", "salvage", "verify"]


def generate_key() -> bytes:
    """A new key for an encrypted store: 32 random bytes. `tokcask key new FILE` puts one into a file."""
    return os.urandom(32)
