"""The token store of the Zoho CRM SDKs for Python (`zohocrmsdk8_0`, `zohocrmsdk7_0`), in the place of their `FileStore`:

    from tokcask.zoho import TokcaskStore

    Initializer.initialize(environment, token, store=TokcaskStore("tokens"))

The SDK is imported when `TokcaskStore` is first asked for: `pip install tokcask[zoho]`, or whichever SDK the application has.
"""

from typing import TYPE_CHECKING, Any

from ._imports import Imported, import_file_store, import_rows, import_sqlite

if TYPE_CHECKING:
    from ._sdk_store import TokcaskStore, refresh_once

__all__ = ["Imported", "TokcaskStore", "import_file_store", "import_rows", "import_sqlite", "refresh_once"]


def __getattr__(name: str) -> Any:
    if name == "TokcaskStore":
        from ._sdk_store import TokcaskStore

        return TokcaskStore
    if name == "refresh_once":
        from ._sdk_store import refresh_once

        return refresh_once
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> "list[str]":
    return sorted(__all__)
