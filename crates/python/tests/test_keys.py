"""Encrypted stores: where their key comes from, and what a function that gives it may do."""

import gc
import os
import threading
import time

import pytest

import tokcask
from tokcask import errors


def test_an_encrypted_store_needs_its_key(path, tmp_path):
    key = tokcask.generate_key()
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_bytes(key)
    asked = []

    def ask(key_id):
        asked.append(key_id)
        return key

    with tokcask.Store(path, key=key) as store:
        store.save(user_name="ana", refresh_token="canary-refresh")
    for given in (file, str(file), ask):
        with tokcask.Store(path, key=given) as store:
            assert store.get(user_name="ana").refresh_token == "canary-refresh"
            store.compact()
    assert asked and all(len(key_id) == 32 for key_id in asked)
    assert all(b"canary" not in entry.read_bytes() for entry in os.scandir(path) for entry in [tmp_path / "tokens" / entry.name])
    with pytest.raises(errors.WrongKeyError):
        tokcask.Store(path)
    with pytest.raises(errors.WrongKeyError):
        tokcask.Store(path, key=tokcask.generate_key())
    with pytest.raises(ValueError):
        tokcask.Store(path, key=b"short")
    with pytest.raises(errors.IoError):
        tokcask.Store(path, key=lambda key_id: 1 / 0)
    other = tokcask.generate_key()
    with tokcask.Store(path, key=key) as store:
        store.rekey(other)
        store.copy_decrypted(path + ".plain")
        store.copy_encrypted(path + ".other", key)
    assert len(tokcask.Store(path, key=other)) == len(tokcask.Store(path + ".plain")) == 1
    with pytest.raises(errors.NotEncryptedError):
        tokcask.Store(path + ".plain", key=key)
    assert tokcask.verify(path)["status"] == "clean"


def test_a_key_that_is_asked_for_by_many_threads_at_once(path):
    """Whoever asks holds locks that others wait for, and needs the interpreter: nobody may wait with it in hand."""
    keys = [tokcask.generate_key() for _ in range(6)]
    current = [0]

    def ask(key_id):
        time.sleep(0.01)
        return keys[current[0]]

    store, other = tokcask.Store(path, key=ask), tokcask.Store(path, key=ask)
    store.save(user_name="ana", access_token="a")
    stop = threading.Event()

    def find():
        while not stop.is_set():
            try:
                assert other.get(user_name="ana").access_token == "a"
            except errors.WrongKeyError:
                pass

    threads = [threading.Thread(target=find) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, len(keys)):
        current[0] = number
        store.rekey(keys[number])
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_function_that_uses_its_own_store_gets_an_error_and_not_a_hang(path):
    key, other, said = tokcask.generate_key(), tokcask.generate_key(), []

    def ask(key_id):
        for use in (lambda: store.get(id="1"), lambda: store.save(user_name="x", access_token="b"), store.close, store.stats):
            with pytest.raises(RuntimeError) as raised:
                use()
            said.append(str(raised.value))
        return other

    store = tokcask.Store(path, key=key)
    store.save(user_name="ana", access_token="a")
    store.rekey(ask)
    store.copy_encrypted(path + ".copy", ask)
    assert len(said) == 8 and set(said) == {"the function that gives a store's key has used that store"}
    assert store.get(id="1").access_token == "a"
    # Another store is another matter: keys may be kept in one.
    elsewhere = tokcask.Store(path + ".keys")
    elsewhere.save(id="1", access_token=other.hex())
    with tokcask.Store(path + ".copy", key=lambda key_id: bytes.fromhex(elsewhere.get(id="1").access_token)) as copy:
        assert len(copy) == 1


class Application:
    """Has a store, whose key is asked of it: a circle of references."""

    def __init__(self, path):
        self.key = tokcask.generate_key()
        self.store = tokcask.Store(path, key=self.give)

    def give(self, key_id):
        return self.key


@pytest.mark.parametrize("rekeyed", [False, True])
def test_a_store_whose_key_function_refers_to_it_is_collected(path, rekeyed):
    application = Application(path)
    application.store.save(user_name="ana", access_token="a")
    if rekeyed:
        application.key = tokcask.generate_key()
        application.store.rekey(application.give)
    key = application.key
    gc.collect()
    assert application.store.get(id="1").user_name == "ana", "nobody took the function away from a store in use"
    del application
    gc.collect()
    with tokcask.Store(path, key=key, exclusive=True) as store:
        assert len(store) == 1
