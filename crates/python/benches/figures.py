"""The figures of the drop-in store: `python benches/figures.py`, in an environment with the package and an SDK.

Each is a ratio between two stores, or two sizes, in one run: the better of several rounds, which take turns. `FileStore` is the
SDK's own; `SqliteStore` below does what the stores of tutorials do, a connection for each call, with SQLite's default durability.
Prints what was missed, and exits with 1 then.
"""

import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tokcask._tokcask import COLUMNS
from tokcask.zoho import TokcaskStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

ROUNDS = 5


class SqliteStore:
    """A table with a row a token; a connection for each call."""

    def __init__(self, path):
        self.path = str(path)
        with self._connected() as database:
            columns = ", ".join(f"{name} varchar(255)" for name in COLUMNS[1:])
            database.execute(f"create table if not exists oauthtoken (id varchar(10) primary key, {columns})")

    def _connected(self):
        return sqlite3.connect(self.path)

    def find_token_by_id(self, id):
        database = self._connected()
        try:
            row = database.execute("select * from oauthtoken where id = ?", (id,)).fetchone()
        finally:
            database.close()
        token = OAuthToken(
            id=row[0], user_signature=UserSignature(row[1]), client_id=row[2], client_secret=row[3], refresh_token=row[4],
            access_token=row[5], grant_token=row[6], redirect_url=row[8], api_domain=row[9],
        )
        token.set_expires_in(row[7])
        return token

    def save_token(self, token):
        database = self._connected()
        try:
            values = (token.get_access_token(), token.get_expires_in(), token.get_id())
            database.execute("update oauthtoken set access_token = ?, expiry_time = ? where id = ?", values)
            database.commit()
        finally:
            database.close()


def rows(count):
    domain = "https://www.zohoapis.com"
    for number in range(1, count + 1):
        yield (
            str(number), f"user{number}@example.test:7001", "1000.ABCDEFGHIJKLMNOPQRSTUVWXYZABCD", "0123456789abcdef" * 2 + "01234567",
            f"1000.{number:032}.{number:032}", f"1000.a{number:031}.{number:032}", None, "4102444800000", None, domain,
        )


def ours(path, count):
    store = TokcaskStore(path)
    store.store.import_tokens({name: value for name, value in zip(COLUMNS, row) if value} for row in rows(count))
    return store


def file_store(path, count):
    lines = [",".join(value or "" for value in row) for row in rows(count)]
    header = ",".join(COLUMNS).replace("redirect_url", "redirect_uri")
    path.write_text("\r\n".join([header, *lines, ""]), newline="")
    return FileStore(str(path))


def sqlite_store(path, count):
    store = SqliteStore(path)
    with sqlite3.connect(str(path)) as database:
        database.executemany(f"insert into oauthtoken values ({', '.join('?' * len(COLUMNS))})", rows(count))
    return store


def find_us(store, count, times):
    ids = [str(1 + number * 7919 % count) for number in range(times)]
    start = time.perf_counter()
    for id in ids:
        store.find_token_by_id(id)
    return (time.perf_counter() - start) / times * 1e6


def save_us(store, count, times):
    tokens = [store.find_token_by_id(str(1 + number * 7919 % count)) for number in range(times)]
    for number, token in enumerate(tokens):
        token.set_access_token(f"1000.{time.time_ns()}.{number}")
    start = time.perf_counter()
    for token in tokens:
        store.save_token(token)
    return (time.perf_counter() - start) / times * 1e6


def best(*measures):
    """The shortest time of each, from rounds in which they take turns."""
    taken = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*taken)]


def main():
    missed = 0

    def say(what, value, bound, is_good):
        nonlocal missed
        missed += not is_good
        print(f"{what:<72} {value:>8.2f}   bound {bound:>6}   {'' if is_good else 'MISSED'}")

    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        small, middle, large = (ours(directory / str(count), count) for count in (100, 1000, 100_000))
        file, sqlite = file_store(directory / "file", 1000), sqlite_store(directory / "sqlite", 1000)
        mine, files, sqlites = best(
            lambda: find_us(middle, 1000, 20_000), lambda: find_us(file, 1000, 50), lambda: find_us(sqlite, 1000, 2000)
        )
        print(f"find_token_by_id at 1,000 tokens, microseconds: tokcask {mine:.2f}, FileStore {files:.0f}, SQLite {sqlites:.0f}")
        say("find by id, 1,000 tokens: FileStore's time by ours", files / mine, 100, files / mine >= 100)
        say("find by id, 1,000 tokens: SQLite's time by ours", sqlites / mine, 15, sqlites / mine >= 15)
        few, many = best(lambda: find_us(small, 100, 20_000), lambda: find_us(large, 100_000, 20_000))
        say("find by id: our time at 100,000 tokens by that at 100", many / few, 1.5, many / few <= 1.5)
        mine, sqlites = best(lambda: save_us(middle, 1000, 200), lambda: save_us(sqlite, 1000, 200))
        print(f"save_token, microseconds: tokcask {mine:.0f}, SQLite {sqlites:.0f}")
        say("save: our time by SQLite's", mine / sqlites, 1.0, mine <= sqlites)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
