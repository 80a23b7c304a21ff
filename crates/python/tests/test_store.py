"""The plain face: rows, refreshes, errors, and no secret where nobody asked for one."""

import copy
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback

import pytest

import tokcask
from tokcask import errors


def test_rows_come_back_as_they_were_saved(path):
    with tokcask.Store(path) as store:
        saved = store.save(user_name="ana", refresh_token="fake", expiry_time="1700000000000", extra={"scope": "read"})
        assert (saved.id, saved.revision, saved.extra, saved.expires_at) == ("1", 1, {"scope": "read"}, 1.7e9)
        assert abs(saved.created_at - time.time()) < 60
        assert store.save({"id": "1", "access_token": "fake-2"}).refresh_token == "fake"
        assert store.save(saved.replace(refresh_token="")).refresh_token is None
        batch = store.save_all([{"user_name": "ben", "grant_token": "g"}, tokcask.Token(user_name="eva", access_token="a")])
        assert [token.id for token in batch] == ["2", "3"]
        assert [token.user_name for token in store] == ["ana", "ben", "eva"]
        assert len(store) == 3 and store
        assert store.get(grant_token="g") == batch[0]
        assert store.find(user_name="eva").access_token == "a"
        assert store.get(user_name="nobody") is None
        assert store.delete("2") and not store.delete("2")
        assert store.import_tokens([{"id": "70", "access_token": "b"}]) == (1, 0)
        assert [token.id for token in store.expiring_within(0)] == ["1"]
        assert store.sweep(idle_max=0, dry_run=True)["swept"] == ["1", "3", "70"]
        assert store.compact()["tokens"] == 3 and store.purge()["generation"] == 3
        assert store.verify()["status"] == "clean" and store.stats()["next_id"] == 71
        store.backup(path + ".backup")
        store.clear()
        assert list(store) == []
    with tokcask.Store(path + ".backup", read_only=True) as backup:
        assert len(backup) == 3
        with pytest.raises(errors.ReadOnlyError):
            backup.clear()
    assert tokcask.verify(path)["status"] == "clean"
    assert tokcask.salvage(path + ".backup", path + ".saved") == {"tokens": 3, "is_whole": True}


def test_each_reason_has_its_class(path):
    store = tokcask.Store(path)
    store.save(user_name="ana", access_token="a")
    with pytest.raises(errors.TooLittleError):
        store.save(user_name="ben")
    with pytest.raises(errors.EmptyIdError):
        store.save(id="", access_token="a")
    with pytest.raises(errors.TooLargeError):
        store.save(user_name="x" * 100_000, access_token="a")
    with pytest.raises(errors.ConflictError) as conflict:
        store.compare_and_save({"id": "1", "access_token": "b"}, 7)
    assert (conflict.value.expected, conflict.value.found) == (7, 1)
    with pytest.raises(errors.IdTakenError) as taken:
        store.import_tokens([{"id": "1", "access_token": "b"}])
    assert (taken.value.id, taken.value.count) == ("1", 1)
    with pytest.raises(errors.LockedError):
        tokcask.Store(path, exclusive=True)
    with pytest.raises(errors.NotAStoreError):
        tokcask.Store(path + ".missing", create=False)
    for wrong in [{}, {"id": "1", "user_name": "ana"}, {"api_domain": "x"}]:
        with pytest.raises(TypeError):
            store.get(**wrong)
    with pytest.raises(TypeError):
        store.save(nonsense="x")
    with pytest.raises(ValueError):
        store.import_tokens([], on_clash="perhaps")
    for never in (-1, 1e19, float("nan")):
        with pytest.raises(ValueError):
            store.expiring_within(never)
    with pytest.raises(TypeError):
        tokcask.Store(path + ".other", key=7)
    os.chmod(path, 0o777)
    with pytest.raises(errors.InsecureError):
        tokcask.Store(path)
    store.close()
    for call in (lambda: store.get(id="1"), lambda: list(store), lambda: len(store), store.stats):
        with pytest.raises(errors.ClosedError):
            call()


def test_one_of_all_threads_refreshes(path):
    store = tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r1")
    asked, outcomes = [], []

    def ask(row):
        asked.append(row.refresh_token)
        time.sleep(0.2)
        return {"access_token": "fresh", "refresh_token": "r2", "expiry_time": str(int(time.time() + 3600) * 1000)}

    threads = [threading.Thread(target=lambda: outcomes.append(store.refresh(ask, user_name="ana"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["r1"]
    assert {outcome.token.access_token for outcome in outcomes} == {"fresh"}
    assert sorted({outcome.how for outcome in outcomes}) in (["by another", "by us"], ["by another", "by us", "fresh"])
    assert store.get(user_name="ana").refresh_token == "r2"


def test_what_the_provider_raises_comes_out_and_holds_others_back(path):
    store = tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r1")

    def refuse(row):
        raise KeyError("refused")

    with pytest.raises(KeyError):
        store.refresh(refuse, user_name="ana")
    with pytest.raises(errors.BackOffError) as held_back:
        store.refresh(refuse, user_name="ana")
    assert 0 < held_back.value.retry_in <= 1 and held_back.value.token.refresh_token == "r1"
    with pytest.raises(errors.UnknownKeyError):
        store.refresh(refuse, user_name="nobody")
    for wrong, error in [(7, TypeError), (None, TypeError), ({}, ValueError), ({"nonsense": "x"}, TypeError)]:
        with pytest.raises(error):
            store.refresh(lambda row: wrong, user_name="ana", backoff_max=0)

    def delete(row):
        store.delete(row.id)
        return {"access_token": "a"}

    with pytest.raises(errors.DeletedError) as deleted:
        store.refresh(delete, user_name="ana", backoff_max=0)
    assert deleted.value.answer.access_token == "a"


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_end_of_a_program_inside_the_provider_holds_nobody_back(path, ending):
    store = tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r1")

    def end(row):
        raise ending("stop")

    for _ in range(3):
        with pytest.raises(ending, match="stop"):
            store.refresh(end, user_name="ana")
    assert store.refresh(lambda row: {"access_token": "a"}, user_name="ana").how == "by us"


def test_no_secret_is_shown(path):
    store = tokcask.Store(path)
    secrets = dict(client_secret="canary-1", refresh_token="canary-2", access_token="canary-3", grant_token="canary-4")
    token = store.save(user_name="ana", extra={"note": "canary-5"}, **secrets)
    said = [repr(token), str(token), repr(store), repr(list(store)), repr(store.stats()), repr(store.verify())]
    for call in (
        lambda: store.save(token.replace(user_name="x" * 100_000)),
        lambda: store.import_tokens([token]),
        lambda: store.compare_and_save(token, 9),
        lambda: store.get(refresh_token="canary-2", access_token="canary-3"),
        lambda: store.refresh(lambda row: 1 / 0, refresh_token="canary-2", rejected=1),
        lambda: pickle.dumps(token),
        lambda: pickle.dumps(store),
    ):
        with pytest.raises(Exception) as raised:
            call()
        said.append("".join(traceback.format_exception(raised.type, raised.value, raised.value.__traceback__)))
        said.append(repr(raised.value))
    # The tests' own lines are in the tracebacks, as text.
    lines = [line for line in "\n".join(said).splitlines() if "lambda" not in line and "test_store" not in line]
    assert not [line for line in lines if "canary" in line and "store.get(refresh_token=" not in line]
    assert token.as_dict()["refresh_token"] == "canary-2"


def test_a_token_is_a_value(path):
    token = tokcask.Token(user_name="ana", access_token="a", extra={"scope": "read"})
    assert copy.copy(token) == copy.deepcopy(token) == token.replace() == tokcask.Token(**token.as_dict())
    assert len({token, token.replace(), token.replace(access_token="b")}) == 2


def test_the_command_is_there(path):
    tokcask.Store(path).save(user_name="ana", refresh_token="1000.fake-refresh")
    for command in ([sys.executable, "-m", "tokcask"], [os.path.join(os.path.dirname(sys.executable), "tokcask")]):
        ran = subprocess.run([*command, "list", path], capture_output=True, text=True)
        assert ran.returncode == 0 and "ana" in ran.stdout and "fake-refresh" not in ran.stdout
        assert subprocess.run([*command, "get", path, "--id", "9"], capture_output=True).returncode == 1
        assert subprocess.run([*command, "nonsense"], capture_output=True).returncode == 2
