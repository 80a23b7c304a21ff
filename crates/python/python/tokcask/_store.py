"""The plain Python face of a store."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Callable, Dict, Iterable, Iterator, List, Literal, Mapping, NamedTuple, Optional, Tuple, TypedDict
from typing import Union

from ._tokcask import Handle, Token
from .errors import ClosedError, ForkedError

Path = Union[str, "os.PathLike[str]"]
Key = Union[bytes, str, "os.PathLike[str]", Callable[[Optional[str]], bytes]]

KEYS = ("id", "user_name", "access_token", "refresh_token", "grant_token")


class Refreshed(NamedTuple):
    """How a refresh came about, and the row."""

    how: Literal["fresh", "by us", "by another"]
    token: Token


class Options(TypedDict, total=False):
    """What a `Store` can be opened with; see there."""

    key: Optional[Key]
    create: bool
    read_only: bool
    exclusive: bool
    network: bool
    background: bool
    lock_timeout: float


class Connection:
    """An open handle that a child process opens anew after a fork."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        # Absolute: the child may have another working directory by then.
        self.path = os.path.abspath(path)
        self._options = options
        self._opening = threading.Lock()
        self._is_closed = False
        self.handle = Handle(self.path, **self._options)

    def reopened(self, forked: Handle) -> Handle:
        """The handle of this process, in the place of one that it inherited."""
        with self._opening:
            if self._is_closed:
                raise ClosedError("the store was closed")
            if self.handle is forked:
                # One that was there is not made anew: it would be another store.
                self.handle = Handle(self.path, **{**self._options, "create": False})
            return self.handle

    def call(self, method: str, *arguments: Any) -> Any:
        handle = self.handle
        try:
            return getattr(handle, method)(*arguments)
        except ForkedError:
            return getattr(self.reopened(handle), method)(*arguments)

    def close(self) -> None:
        with self._opening:
            self._is_closed = True
            self.handle.close()

    def after_fork(self) -> None:
        """Nobody but the thread that forked is there: whoever held the lock is gone."""
        self._opening = threading.Lock()


class Store:
    """A store of tokens in the directory `path`, shared by all threads and processes that have it open.

    `key` makes and opens encrypted stores: 32 bytes, the path of a key file, or a function that gets the id of the store's
    key (`None`: for a new store) and returns the bytes; it must not use the store, and what it raises is shown.
    `create=False` makes no new store; `read_only` writes to no file; `exclusive` keeps all others out; `network` allows a
    network file system, for one process; without `background` nothing is compacted by itself; `lock_timeout` is how long a
    call waits for other processes, in seconds, and Ctrl-C is not heard before. After a fork the child opens the store anew at
    its first call.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: Optional[Key] = None,
        create: bool = True,
        read_only: bool = False,
        exclusive: bool = False,
        network: bool = False,
        background: bool = True,
        lock_timeout: float = 10.0,
    ) -> None:
        options = dict(
            key=key,
            create=create,
            read_only=read_only,
            exclusive=exclusive,
            network=network,
            background=background,
            lock_timeout=lock_timeout,
        )
        self._connection = _remembered(Connection(path, options))

    # Rows.

    def get(self, **key: str) -> Optional[Token]:
        """The oldest row with this key: `get(user_name="ana")`, or by id, access, refresh or grant token. `None` if there is none."""
        column, value = _only(key)
        return self._connection.call("get", column, value)

    def find(self, partial: Union[Token, Mapping[str, Any], None] = None, **columns: Any) -> Optional[Token]:
        """The row that a partial token means, by the rules of the SDKs: what it lacks is filled from the row."""
        return self._connection.call("find", _token(partial, columns))

    def save(self, token: Union[Token, Mapping[str, Any], None] = None, **columns: Any) -> Token:
        """Updates the row that the token means, or adds one, durably; returns the row as stored.

        In an update a value replaces, `None` keeps, `""` clears.
        """
        return self._connection.call("save", _token(token, columns))

    def save_all(self, tokens: Iterable[Union[Token, Mapping[str, Any]]]) -> List[Token]:
        """Saves them in one transaction: all of them, or none."""
        return self._connection.call("save_all", [_token(token, {}) for token in tokens])

    def compare_and_save(self, token: Union[Token, Mapping[str, Any]], revision: int) -> Token:
        """Saves it if its row is at this revision still; else `errors.ConflictError`."""
        return self._connection.call("compare_and_save", _token(token, {}), revision)

    def import_tokens(
        self, tokens: Iterable[Union[Token, Mapping[str, Any]]], on_clash: str = "refuse"
    ) -> Tuple[int, int]:
        """Adds rows with the ids that they have, in one transaction; returns how many, and how many ids were taken.

        `on_clash` says what becomes of those: "refuse" (nothing is imported), "keep", "replace" or "renumber".
        """
        return self._connection.call("import_all", [_token(token, {}) for token in tokens], on_clash)

    def delete(self, id: str) -> bool:
        """Deletes the row with this id; returns whether there was one."""
        return self._connection.call("delete", id)

    def clear(self) -> None:
        """Deletes all rows. Ids are not given again."""
        self._connection.call("clear")

    def expiring_within(self, seconds: float) -> List[Token]:
        """Rows whose access token ends by then, the soonest first."""
        return self._connection.call("expiring_within", seconds)

    def __iter__(self) -> Iterator[Token]:
        """All rows as they are now, oldest first."""
        return self._connection.call("rows")

    def __len__(self) -> int:
        return self._connection.call("len")

    def __bool__(self) -> bool:
        return True

    # Refreshing.

    def refresh(
        self,
        provider: Callable[[Token], Union[Token, Mapping[str, Any]]],
        *,
        slack: float = 5.0,
        wait_max: float = 30.0,
        backoff_min: float = 1.0,
        backoff_max: float = 60.0,
        rejected: Optional[int] = None,
        **key: str,
    ) -> Refreshed:
        """A fresh token for the row with this key: the stored one if it is good for `slack` seconds, or what `provider` makes of it.

        Of all threads of all processes that ask for the same row meanwhile, one calls its `provider`, with the row as it
        stands; the others wait for what it saved. `provider` returns the answer: a new access token, its expiry, and a new
        refresh token if the old one is spent. What it raises comes out of the one call that asked it, and the others are
        held back for a moment (`errors.BackOffError`); unless it is the end of the program (`KeyboardInterrupt`, `SystemExit`).
        """
        column, value = _only(key)
        policy = dict(
            slack=slack, wait_max=wait_max, backoff_min=backoff_min, backoff_max=backoff_max, rejected=rejected
        )
        return Refreshed(*self._connection.call("refresh", column, value, policy, lambda row: _answer(provider(row))))

    # Looking after it.

    def sweep(
        self,
        *,
        expired_for: Optional[float] = None,
        age_max: Optional[float] = None,
        idle_max: Optional[float] = None,
        with_refresh_token: bool = False,
        dry_run: bool = False,
    ) -> Dict[str, Any]:
        """Deletes rows that any of these times, in seconds, means; those with a refresh token only if told so."""
        return self._connection.call("sweep", expired_for, age_max, idle_max, with_refresh_token, dry_run)

    def compact(self) -> Dict[str, Any]:
        """Moves the present rows to a new file. A store does this by itself when it is worth it."""
        return self._connection.call("compact")

    def purge(self) -> Dict[str, Any]:
        """Compacts, and waits until nobody has an old file open: what was deleted or replaced is gone from all files."""
        return self._connection.call("purge")

    def rekey(self, key: Key) -> Dict[str, Any]:
        """Gives an encrypted store another key."""
        return self._connection.call("rekey", key)

    def backup(self, path: Path) -> None:
        """Copies the store as it is into a new directory. With its key, if it has one."""
        self._connection.call("backup", os.fspath(path))

    def copy_encrypted(self, path: Path, key: Key) -> None:
        """Writes the present rows into a new encrypted store."""
        self._connection.call("copy", os.fspath(path), key)

    def copy_decrypted(self, path: Path) -> None:
        """Writes the present rows into a new plain store."""
        self._connection.call("copy", os.fspath(path), None)

    def verify(self) -> Dict[str, Any]:
        """Reads the log through: `status` is "clean", "torn tail" or "corrupt", `damage` lists offsets and reasons."""
        return self._connection.call("verify")

    def stats(self) -> Dict[str, Any]:
        """Numbers about the store: tokens, bytes, what is dead, what the next row is called."""
        return self._connection.call("stats")

    def open_report(self) -> Dict[str, Any]:
        """What opening found and did."""
        return self._connection.call("open_report")

    @property
    def path(self) -> str:
        return self._connection.path

    def close(self) -> None:
        """Makes everything durable and lets go of the files. Calls after it raise `errors.ClosedError`."""
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *raised: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.path!r})"

    def __reduce__(self) -> Any:
        raise TypeError("an open store is not pickled; open it by its path in the other process")


def _only(key: Mapping[str, str]) -> Tuple[str, str]:
    if len(key) != 1 or not key.keys() <= set(KEYS):
        raise TypeError(f"exactly one of {', '.join(KEYS)} has to be given")
    return next(iter(key.items()))


def _token(token: Union[Token, Mapping[str, Any], None], columns: Mapping[str, Any]) -> Token:
    if token is None:
        return Token(**columns)
    if not isinstance(token, Token):
        return Token(**{**token, **columns})
    return token.replace(**columns) if columns else token


def _answer(answer: Union[Token, Mapping[str, Any]]) -> Token:
    if answer is None:
        raise TypeError("the provider's function returned nothing")
    token = _token(answer, {})
    if not token.access_token:
        raise ValueError("the provider's answer has no access token")
    return token


_connections: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _remembered(connection: Connection) -> Connection:
    _connections.add(connection)
    return connection


def _after_fork() -> None:
    for connection in _connections:
        connection.after_fork()


os.register_at_fork(after_in_child=_after_fork)
