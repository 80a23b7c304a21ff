"""Why a call failed: one class for each reason, all of them `Error`.

Unless a class says otherwise, nothing was changed: not the files, not the rows, not the counters. No message holds a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from ._tokcask import Token


class Error(Exception):
    """Anything that a store says. What it carries besides the message are attributes."""

    def __init__(self, message: str = "", **carried: Any) -> None:
        super().__init__(message)
        self.__dict__.update(carried)


class IoError(Error):
    """The operating system refused something."""


class CorruptError(Error):
    """Bytes on disk fail a check that a crash alone cannot explain. `tokcask verify` lists every such place."""


class CopiedError(Error):
    """The log is older than what the lock file beside it knows, or another store's: somebody put an old one back."""


class LockedError(Error):
    """Somebody else has the store open and does not share it."""


class BusyError(Error):
    """Somebody else held one of the store's locks for longer than the lock timeout. Worth trying again."""


class LockReplacedError(Error):
    """Somebody removed or replaced a file of the store while it was open."""


class OutcomeUnknownError(Error):
    """The sync of this write failed: whether it is there after a power loss is unknown."""


class PoisonedError(Error):
    """An earlier sync failed. Finds go on; writes work again after `compact` or reopening."""


class NoSpaceError(Error):
    """There is no room for this write. It works again when there is."""


class UnknownIdError(Error):
    """No row has this `id`."""

    id: str


class TooLittleError(Error):
    """A new row needs at least one non-empty access, refresh or grant token."""


class EmptyIdError(Error):
    """An id may not be empty."""


class IdTakenError(Error):
    """Rows with these ids are there already: `id` is the first of them, `count` how many."""

    id: str
    count: int


class ConflictError(Error):
    """The row is not at the revision `expected`, but at `found`; `None` if there is no such row."""

    expected: int
    found: Optional[int]


class TooLargeError(Error):
    """Something is longer than the store's limits."""


class NotAStoreError(Error):
    """There is no store at this path, or something else."""


class UnsupportedError(Error):
    """The store was written by a version with features that this one lacks."""


class WrongKeyError(Error):
    """The store is encrypted, and this is not its key, or none was given."""


class NotEncryptedError(Error):
    """The store is not encrypted, and was to be opened with a key."""


class InsecureError(Error):
    """Somebody else could read or replace the store's files. The message says how to mend it."""


class NetworkFileSystemError(Error):
    """The store lies on a network or user-space file system, and `network=True` was not given."""


class ReadOnlyError(Error):
    """The store was opened for reading only."""


class ForkedError(Error):
    """The handle is of a process that this one was forked from. `tokcask.Store` opens it anew by itself."""


class ClosedError(Error):
    """The store was closed."""


class SourceError(Error):
    """What tokens were to be imported from cannot be read."""


class RefreshError(Error):
    """There is no fresh token to give. (What the provider's function raises comes out as it is.)"""


class UnknownKeyError(RefreshError):
    """No row has this key. The provider was not asked."""


class BackOffError(RefreshError):
    """The provider has failed for this row a moment ago, whoever asked it; it may be asked again in `retry_in` seconds."""

    token: Token
    retry_in: float


class RefreshBusyError(RefreshError):
    """Somebody else was refreshing the row for longer than `wait_max`. The provider was not asked."""

    token: Token


class DeletedError(RefreshError):
    """The row was deleted meanwhile. `answer` is the provider's, if it had been asked: worth revoking."""

    answer: Optional[Token]


class ReplacedError(RefreshError):
    """Somebody has saved another refresh token for the row meanwhile: `token`. `answer` is worth revoking."""

    token: Token
    answer: Token


class SaveFailedError(RefreshError):
    """The provider has answered, and the answer could not be saved: `token` is the only copy. The cause says why."""

    token: Token
