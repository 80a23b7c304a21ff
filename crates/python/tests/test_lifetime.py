"""Processes, threads and ends: forks, waits that others run beside and Ctrl-C ends, programs that end with a store open."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest

import tokcask
from tokcask import errors


def in_child(path, results):
    results.put([token.user_name for token in tokcask.Store(path)])


def test_a_child_opens_the_store_anew(path):
    store = tokcask.Store(path)
    store.save(user_name="ana", access_token="a")
    rows = iter(store)
    child = os.fork()
    if child == 0:
        try:
            assert store.get(user_name="ana").access_token == "a"
            store.save(user_name="child", access_token="b")
            store.close()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.get(user_name="child").id == "2"
    assert [row.user_name for row in rows] == ["ana"]
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        results = context.Queue()
        process = context.Process(target=in_child, args=(path, results))
        process.start()
        assert results.get(timeout=30) == ["ana", "child"]
        process.join()


def test_a_store_that_was_closed_before_the_fork_stays_closed(path):
    store = tokcask.Store(path)
    store.close()
    child = os.fork()
    if child == 0:
        try:
            store.stats()
        except errors.ClosedError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_fork_in_the_middle_of_other_threads_calls(path):
    store = tokcask.Store(path)
    store.save(user_name="ana", access_token="a")
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            store.save(user_name="ana", access_token="a")
            assert store.get(user_name="ana")

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        child = os.fork()
        if child == 0:
            try:
                for number in range(3):
                    store.save(user_name=f"child {number}", access_token="b")
                os._exit(0 if store.get(user_name="child 2") else 2)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert len(store) == 4


@pytest.mark.parametrize("ending", ["pass", "store.close()", "del store", "os.fork() == 0 or os.wait()", "raise SystemExit(0)"])
def test_a_program_ends_well_with_a_store_open(path, ending):
    program = (
        "import os, sys, threading, tokcask\n"
        "store = tokcask.Store(sys.argv[1], key=lambda key_id: b'k' * 32)\n"
        "store.save(user_name='ana', access_token='a')\n"
        "def find(store):\n"
        "    try:\n"
        "        while store.get(user_name='ana'): pass\n"
        "    except tokcask.errors.ClosedError: pass\n"
        "threading.Thread(target=find, args=(store,), daemon=True).start()\n"
        f"{ending}\n"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", program, path], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert len(tokcask.Store(path, key=b"k" * 32)) == 1


def test_other_threads_run_while_a_call_waits(path):
    store, other = tokcask.Store(path), tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r")
    inside, go_on = threading.Event(), threading.Event()

    def slow(row):
        inside.set()
        go_on.wait(30)
        return {"access_token": "a"}

    first = threading.Thread(target=lambda: store.refresh(slow, user_name="ana"))
    second = threading.Thread(target=lambda: other.refresh(slow, user_name="ana"))
    first.start()
    inside.wait(30)
    second.start()
    time.sleep(0.1)
    # The second one waits for the first in the store: this thread runs all the same.
    assert other.get(user_name="ana").access_token is None
    go_on.set()
    first.join(30)
    second.join(30)
    assert other.get(user_name="ana").access_token == "a"


def test_ctrl_c_ends_a_wait_for_another_process(path):
    """The holder of the lease stays; whoever waits for it is interrupted long before its patience ends."""
    # A shell starts what runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    store = tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r")
    reading, writing = os.pipe()
    holder = os.fork()
    if holder == 0:
        def hold(row):
            os.write(writing, b"x")
            time.sleep(600)

        store.refresh(hold, user_name="ana")
        os._exit(0)
    try:
        assert os.read(reading, 1) == b"x"
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            store.refresh(lambda row: {"access_token": "a"}, user_name="ana", wait_max=60)
        with pytest.raises(errors.RefreshBusyError, match=r"for 3\d\d[.\d]*ms"):
            store.refresh(lambda row: {"access_token": "a"}, user_name="ana", wait_max=0.35)
    finally:
        signal.signal(signal.SIGINT, before)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    assert store.refresh(lambda row: {"access_token": "a"}, user_name="ana").how == "by us"


def test_an_answer_that_comes_after_a_long_wait_is_used_however_long_it_is_good(path):
    """A wait is made of many; what one of them has seen the next one knows."""
    store, other = tokcask.Store(path), tokcask.Store(path)
    store.save(user_name="ana", refresh_token="r1")
    inside, outcomes = threading.Event(), []

    def slow(row):
        inside.set()
        time.sleep(0.45)
        return {"access_token": "short", "refresh_token": "r2", "expiry_time": "1"}

    first = threading.Thread(target=lambda: store.refresh(slow, user_name="ana"))
    first.start()
    inside.wait(30)
    second = other.refresh(outcomes.append, user_name="ana")
    first.join(30)
    assert (second.how, second.token.access_token, outcomes) == ("by another", "short", [])
