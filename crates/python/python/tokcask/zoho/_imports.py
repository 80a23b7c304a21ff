"""Moving existing stores in: the SDKs' files and tables, with the ids that tokens have there, for the SDKs hold them."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Union

from .._store import Path, Store
from .._tokcask import COLUMNS, Token, read_file_store, read_sqlite

Row = Union[Sequence[Optional[str]], Mapping[str, Optional[str]]]


class Imported(NamedTuple):
    """How many rows were moved in, how many of their ids were taken, and why each of the others was kept out."""

    imported: int
    clashes: int
    skipped: List[str]


def import_file_store(source: Path, store: Any, on_clash: str = "refuse") -> Imported:
    """Moves the rows of an SDK's `FileStore` file in, of Python or Node, in one transaction.

    `store` is a `TokcaskStore` or a `tokcask.Store`. A row that was cut off when its writer died, or that nobody could use, is
    kept out and said. `on_clash` is that of `tokcask.Store.import_tokens`.
    """
    return _move(store, *read_file_store(os.fspath(source)), on_clash)


def import_sqlite(source: Path, store: Any, on_clash: str = "refuse") -> Imported:
    """The same from a SQLite database with the SDKs' table `oauthtoken`."""
    return _move(store, *read_sqlite(os.fspath(source)), on_clash)


def import_rows(rows: Iterable[Row], store: Any, on_clash: str = "refuse") -> Imported:
    """The same from rows of the table, as a cursor gives them: `cursor.execute("select * from oauthtoken")`.

    Ten columns by position, or the nine of older SDKs, which had no `api_domain`; or dictionaries, by the columns' names.
    """
    tokens, skipped = [], []
    for number, row in enumerate(rows, 1):
        token = _from_row(row)
        if isinstance(token, str):
            skipped.append(f"row {number}: {token}")
        else:
            tokens.append(token)
    return _move(store, tokens, skipped, on_clash)


def _from_row(row: Row) -> Union[Token, str]:
    if isinstance(row, (str, bytes)):
        raise TypeError("rows are sequences of columns, or dictionaries")
    if isinstance(row, Mapping):
        missing = [name for name in COLUMNS[:-1] if name not in row]
        if missing:
            return f"no column {missing[0]}"
        row = [row.get(name) for name in COLUMNS]
    if len(row) not in (len(COLUMNS) - 1, len(COLUMNS)):
        return f"{len(row)} columns instead of 9 or 10"
    for name, value in zip(COLUMNS, row):
        if value is not None and not isinstance(value, (str, int)):
            return f"{name} holds a {type(value).__name__}"
    columns: Dict[str, Any] = {name: str(value) for name, value in zip(COLUMNS, row) if value not in (None, "")}
    token = Token(**columns)
    if not (token.access_token or token.refresh_token or token.grant_token):
        return "no access, refresh or grant token"
    return token


def _move(store: Any, tokens: List[Token], skipped: List[str], on_clash: str) -> Imported:
    plain = store if isinstance(store, Store) else store.store
    imported, clashes = plain.import_tokens(tokens, on_clash)
    return Imported(imported, clashes, skipped)
