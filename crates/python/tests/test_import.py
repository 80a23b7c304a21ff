"""Existing stores move in: files that the real SDKs wrote, a table of SQLite, rows of a cursor."""

import sqlite3
from pathlib import Path

import pytest

import tokcask
from tokcask import errors
from tokcask._tokcask import COLUMNS
from tokcask.zoho import TokcaskStore, import_file_store, import_rows, import_sqlite
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore

SAMPLES = Path(__file__).parents[3] / "tests/data/zoho"


@pytest.mark.parametrize("name, imported, skipped", [
    ("filestore.py8.csv", None, 0),
    ("filestore.py7.csv", None, 0),
    ("filestore.py8.tricky.csv", None, 0),
    ("filestore.node8.csv", None, 0),
    ("filestore.ninecolumns.csv", None, 0),
    ("filestore.noheader.csv", None, 0),
    ("filestore.py8.1000.csv", 1000, 0),
    ("filestore.torn.csv", None, 1),
    ("filestore.empty.csv", 0, 0),
])
def test_files_of_the_sdks(name, imported, skipped, path):
    store = TokcaskStore(path)
    report = import_file_store(SAMPLES / name, store)
    assert len(report.skipped) == skipped and report.clashes == 0
    assert report.imported == len(store.get_tokens())
    assert report.imported == imported if imported is not None else report.imported > 0


def test_a_file_that_the_sdk_writes_here(path, tmp_path):
    from scripts import make, show

    theirs = FileStore(str(tmp_path / "sdk_tokens.txt"))
    for number in range(3):
        theirs.save_token(make({"user_name": f"u, {number}", "refresh_token": f"r\"{number}", "client_id": "c", "client_secret": "s"}))
    theirs.delete_token("2")
    ours = TokcaskStore(path)
    assert import_file_store(tmp_path / "sdk_tokens.txt", ours)[:2] == (2, 0)
    assert [show(token) for token in ours.get_tokens()] == [show(token) for token in theirs.get_tokens()]
    with pytest.raises(errors.IdTakenError):
        import_file_store(tmp_path / "sdk_tokens.txt", ours)
    assert import_file_store(tmp_path / "sdk_tokens.txt", ours, "keep") == (0, 2, [])
    assert import_file_store(tmp_path / "sdk_tokens.txt", ours, "renumber") == (2, 2, [])
    assert [token.get_id() for token in ours.get_tokens()] == ["1", "3", "4", "5"]


def test_tables(path, tmp_path):
    store = tokcask.Store(path)
    report = import_sqlite(SAMPLES / "zohooauth.db", store)
    assert report.imported == len(store) > 0
    with sqlite3.connect(SAMPLES / "zohooauth.db") as database:
        rows = database.execute("select * from oauthtoken").fetchall()
    other = TokcaskStore(path + ".rows")
    assert import_rows(rows, other).imported == report.imported
    assert list(other.store) == list(store)
    bad = [rows[0][:5], (*rows[0][:4], b"bytes", *rows[0][5:]), ("9", "ana", *[None] * 8)]
    reasons = ["row 1: 5 columns instead of 9 or 10", "row 2: refresh_token holds a bytes", "row 3: no access, refresh or grant token"]
    assert import_rows(bad, other) == (0, 0, reasons)
    by_name = dict(zip(COLUMNS, ("88", "dict", None, None, "r", None, None, None, None, None)))
    assert import_rows([by_name, {"id": "1"}], other) == (1, 0, ["row 2: no column user_name"])
    assert other.find_token_by_id("88").get_refresh_token() == "r"
    with pytest.raises(TypeError):
        import_rows(["0123456789"], other)
    assert import_rows([(77, "nine", None, None, "r", *[None] * 4)], other).imported == 1
    assert other.find_token_by_id("77").get_user_signature().get_name() == "nine"
    for read in (import_file_store, import_sqlite):
        with pytest.raises(errors.SourceError):
            read(tmp_path / "missing", other)
